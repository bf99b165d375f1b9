"""Who somebody is, once proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TLS = "TLS"
"""The mechanism of principals whose certificate speaks for them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """One identity, as it was proven on a connection.

    `type` and `name` are Kafka's (`User:alice`); `claims` are those of a token, empty otherwise. `expires_at` is when
    the proof ends (a token's expiry, a certificate's last day), in seconds of the clock that was handed in.
    """

    name: str
    groups: frozenset[str] = frozenset()
    mechanism: str = ""
    claims: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    expires_at: float | None = None
    type: str = "User"

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"

    def same_as(self, other: Principal) -> bool:
        """Return whether both are one and the same, as a broker compares them: by type and name."""
        return (self.type, self.name) == (other.type, other.name)
