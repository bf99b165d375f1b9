"""What every mechanism is to a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from appliance.identity.principal import Principal
from appliance.identity.steps import WantKeys, Work


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this token; the client has to answer."""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proven:
    """The client is this principal; send this last token."""

    principal: Principal
    token: bytes = field(default=b"", repr=False)


Outcome: TypeAlias = Challenge | Work | WantKeys | Proven


class SaslExchange(Protocol):
    """One authentication by one mechanism, from the client's first token to `Proven` or `Denied`."""

    def receive(self, token: bytes, now: float) -> Outcome:
        """Take the client's next token. Raises Denied."""

    def resume(self, result: object, now: float) -> Outcome:
        """Go on after Work (with its result) or WantKeys (with None). Raises Denied."""
