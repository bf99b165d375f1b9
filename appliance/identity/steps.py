"""What a conversation wants of its shell next: values, one per call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from appliance.identity.principal import Principal

if TYPE_CHECKING:
    from appliance.identity.keys import KeySet


@dataclass(frozen=True, slots=True)
class Reply:
    """Send `body` (a response body without header; the bare token where the request was one), then read on.

    With `close`, end the connection after the body (None: nothing) has left.
    """

    body: bytes | None = field(repr=False)
    close: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """Run `run` in a thread (it takes tens of milliseconds and never raises); call `resume(now, its result)`."""

    run: Callable[[], object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantKeys:
    """See to it that `keys` has been fetched anew since `seen`, then call `resume(now)`.

    Many conversations may ask for one key set at once. Under a lock per key set: if `keys.attempts == seen`, read
    `keys.source` (URL or file path) and call `keys.load(document, now)` or `keys.failed(reason, now)`.
    """

    keys: KeySet
    seen: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """Send `body`; the connection belongs to `principal` until `session_ends` (None: without end).

    After `session_ends`, requests other than SaslHandshake and SaslAuthenticate end the connection (KIP-368).
    """

    body: bytes = field(repr=False)
    principal: Principal
    session_ends: float | None
    reauthenticated: bool
    """True where the connection had this principal before."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed: one line for the audit trail. Given exactly once per failed attempt.

    Wait `hold` seconds, send `body` (None: nothing is sent), then end the connection where `close` says so. Where it
    does not, the client may still acknowledge the failure (OAUTHBEARER) or go on as whom it was before.
    """

    body: bytes | None = field(repr=False)
    reason: str
    code: int
    """Kafka's error code."""
    mechanism: str | None = None
    claimed: str | None = None
    """Whom the client said to be; not proven."""
    close: bool = True
    hold: float = 0.0


Step: TypeAlias = Reply | Work | WantKeys | Accepted | Failed
