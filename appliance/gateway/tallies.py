"""What happens at the doors, counted: who came in, who did not and why, who proved to be somebody."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from appliance.exchange.measures import Labels, Measures
from appliance.exchange.step import Refused
from appliance.gateway.errors import ClusterUnreachable, NotLoggedIn, TlsUnusable
from appliance.gateway.snapshot import Door
from appliance.resources.listener_authentication import Mechanism
from appliance.wire.errors import Malformed

REASONS = ("limit", "tls", "authentication", "malformed", "policy", "upstream", "internal")
"""Why connections are refused."""

_MECHANISMS = {*get_args(Mechanism), "TLS"}


class Tallies:
    """Of one process."""

    def __init__(self) -> None:
        self._accepted: Counter[Labels] = Counter()
        self._refused: Counter[Labels] = Counter()
        self._authentications: Counter[Labels] = Counter()

    def accepted(self, door: Door) -> None:
        """Count a client that is known, as far as its listener asks."""
        self._accepted[door.name, door.virtual_cluster] += 1

    def refused(self, door: Door, error: Exception) -> None:
        """Count a client that is closed for this."""
        self._refused[door.name, door.virtual_cluster, _reason(error)] += 1

    def authenticated(
        self, who: dict[str, object], mechanism: str | None, result: Literal["accepted", "refused"]
    ) -> None:
        """Count an attempt to authenticate; `who` as in the audit trail. What the client made up is not shown."""
        shown = mechanism if mechanism in _MECHANISMS else "other"
        self._authentications[str(who["listener"]), str(shown), result] += 1

    def readings(self) -> Measures:
        """Return what has been counted up to now."""
        return Measures(
            accepted=tuple(self._accepted.items()),
            refused=tuple(self._refused.items()),
            authentications=tuple(self._authentications.items()),
        )


def _reason(error: Exception) -> str:
    match error:
        case Refused():
            return error.reason
        case Malformed():
            return "malformed"
        case ClusterUnreachable() | NotLoggedIn():
            return "upstream"
        case TlsUnusable():
            return "tls"
        case _:
            return "internal"
