"""Fetching the key sets that tokens are checked with; once, however many clients wait for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

import trio

from appliance.identity.keys import KeySet

_ANSWER_SECONDS = 5.0
_LONGEST = 1 << 20
_locks: WeakKeyDictionary[KeySet, trio.Lock] = WeakKeyDictionary()


async def fetched(keys: KeySet, seen: int, wall: Callable[[], float]) -> None:
    """See to it that the key set has been fetched anew since `seen` attempts; how it went is in the key set."""
    async with _locks.setdefault(keys, trio.Lock()):
        if keys.attempts != seen:
            return
        try:
            document = await _document(keys.source)
        except _Unreadable as unreadable:
            keys.failed(str(unreadable), wall())
        else:
            keys.load(document, wall())


class _Unreadable(Exception):
    """The source gave nothing."""


async def _document(source: str) -> bytes:
    if not source.startswith(("http://", "https://")):
        try:
            return await trio.Path(Path(source)).read_bytes()
        except OSError as error:
            raise _Unreadable(f"{source}: {error.strerror}") from None
    import httpx  # noqa: PLC0415 - see secrets

    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(source)
    except (httpx.HTTPError, OSError) as error:
        raise _Unreadable(f"{source}: no answer ({type(error).__name__})") from None
    if answer.status_code != httpx.codes.OK:
        raise _Unreadable(f"{source}: expected a key set, found HTTP {answer.status_code}")
    return answer.content[:_LONGEST]
