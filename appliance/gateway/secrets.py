"""Secrets where they lie: read when they are needed, so that a rotated one holds from the next login on."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

import trio

from appliance.gateway.errors import SecretUnavailable, SecretWithheld
from appliance.resources.secret import OpenBaoRef, SecretRef, TokenRef

_KEPT_SECONDS = 30.0
"""How long a secret of a store is used without asking again: a thousand clients that reconnect ask once."""
_DOUBTED_SECONDS = 1.0
"""A secret younger than this is not asked for again because a cluster refuses it: it is not the secret then."""
_ANSWER_SECONDS = 5.0
_WITHHELD = (400, 403, 404)
"""How OpenBao says no: not such a path or token, forbidden, deleted or never there. Others (429, 503) pass."""
_LONGEST = 1 << 20

log = logging.getLogger("tidegate.gateway")


class Secrets:
    """Reads secrets; `clock` is monotonic, in seconds.

    A store that does not answer does not end what works: the value last read is used on, and the log says so. One that
    answers and withholds the secret does.
    """

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self._asking: dict[str, trio.Lock] = {}

    async def resolve(self, ref: SecretRef) -> str:
        """Return the secret. Raises SecretUnavailable."""
        if ref.openbao is None:
            return read_local(ref.file, ref.env)
        key = ref.openbao.model_dump_json()
        async with self._asking.setdefault(key, trio.Lock()):
            kept = self._kept.get(key)
            if kept is not None and self._clock() - kept[0] < _KEPT_SECONDS:
                return kept[1]
            try:
                secret = await _from_openbao(ref.openbao)
            except SecretWithheld:
                self._kept.pop(key, None)
                raise
            except SecretUnavailable as error:
                if kept is None:
                    raise
                log.warning("%s; the value read before is used on", error)
                secret = kept[1]
            self._kept[key] = (self._clock(), secret)
            return secret

    def doubt(self, ref: SecretRef) -> None:
        """Have a secret read anew when it is needed next: a cluster has just refused the one that is kept."""
        key = ref.openbao.model_dump_json() if ref.openbao is not None else ""
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] >= _DOUBTED_SECONDS:
            self._kept[key] = (-math.inf, kept[1])


def read_local(file: str | None, env: str | None) -> str:
    """Return the content of a file without its line end, or of an environment variable. Raises SecretUnavailable."""
    if file is not None:
        try:
            with Path(file).open(encoding="utf-8") as opened:
                secret = opened.read(_LONGEST).removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "expected UTF-8"
            raise SecretUnavailable(f"secret file {file}: {reason}") from None
        where = f"secret file {file}"
    else:
        assert env is not None
        secret, where = os.environ.get(env, ""), f"environment variable {env}"
    if not secret:
        raise SecretUnavailable(f"{where}: expected a secret, found nothing")
    return secret


async def _from_openbao(ref: OpenBaoRef) -> str:
    import ssl  # noqa: PLC0415 - with httpx a third of a gateway's memory, which one without a secret store does without

    import httpx  # noqa: PLC0415

    where = f"OpenBao {ref.address}, {ref.path}"
    token = _token(ref.token)
    verify = ssl.create_default_context(cafile=ref.ca) if ref.address.startswith("https") else False
    try:
        async with httpx.AsyncClient(verify=verify, timeout=_ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{ref.address.rstrip('/')}/v1/{ref.path}", headers={"X-Vault-Token": token})
    except (httpx.HTTPError, OSError) as error:
        raise SecretUnavailable(f"{where}: no answer ({type(error).__name__})") from None
    if answer.status_code != httpx.codes.OK:
        kind = SecretWithheld if answer.status_code in _WITHHELD else SecretUnavailable
        raise kind(f"{where}: expected the secret, found HTTP {answer.status_code}")
    try:
        data = answer.json()["data"]
    except (ValueError, KeyError, TypeError):
        raise SecretUnavailable(f"{where}: expected JSON with data, found something else") from None
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]  # the key-value engine, version 2
    secret = data.get(ref.field) if isinstance(data, dict) else None
    if not isinstance(secret, str) or not secret:
        raise SecretWithheld(f"{where}: expected the field {ref.field}, found none")
    return secret


def _token(ref: TokenRef) -> str:
    return read_local(ref.file, ref.env)
