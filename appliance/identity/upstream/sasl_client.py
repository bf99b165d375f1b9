"""What every mechanism is to a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from appliance.identity.steps import Work


@dataclass(frozen=True, slots=True)
class Send:
    """Send this token and hand in the answer."""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The server has accepted us and has proven itself as far as the mechanism can."""


ClientStep: TypeAlias = Send | Work | Done


class SaslClient(Protocol):
    """One login by one mechanism. A new login, also a re-authentication, takes a new object."""

    mechanism: str

    def first(self) -> Send:
        """Return the first token."""

    def receive(self, token: bytes) -> ClientStep:
        """Take the server's next token. Raises UpstreamRefused."""

    def resume(self, result: object) -> ClientStep:
        """Go on after Work. Raises UpstreamRefused."""

    def remark(self) -> str:
        """Return what the server let on about a refusal before it refused; empty where it said nothing."""
