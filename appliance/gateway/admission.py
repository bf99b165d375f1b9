"""How many may come in: connections at once (all, per address, per principal) and how fast new ones."""

from __future__ import annotations

from collections import Counter

from appliance.exchange.step import OverLimit
from appliance.resources.limits import LimitsSpec


class Admission:
    """Counts the connections of one listener. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.connections = 0
        self._addresses: Counter[str] = Counter()
        self._principals: Counter[str] = Counter()
        self._next_at = 0.0

    def pause(self, limits: LimitsSpec, now: float) -> float:
        """Return the seconds until one more connection keeps to the rate; up to a second's worth may come at once."""
        if limits.connection_rate is None:
            return 0.0
        self._next_at = max(self._next_at, now - 1.0) + 1.0 / limits.connection_rate
        return max(0.0, self._next_at - now)

    def enter(self, limits: LimitsSpec, address: str) -> None:
        """Count a connection from this address. Raises Refused, and then counts nothing."""
        if self.connections >= limits.connections:
            raise OverLimit(f"more than {limits.connections} connections to this listener (limits.connections)")
        most = limits.connections_per_address
        if most is not None and self._addresses[address] >= most:
            raise OverLimit(f"more than {most} connections from {address} (limits.connections_per_address)")
        self.connections += 1
        self._addresses[address] += 1

    def leave(self, address: str) -> None:
        """Count it no longer."""
        self.connections -= 1
        _less(self._addresses, address)

    def identify(self, limits: LimitsSpec, principal: str) -> None:
        """Count a connection as this principal's. Raises Refused, and then counts nothing."""
        most = limits.connections_per_principal
        if most is not None and self._principals[principal] >= most:
            raise OverLimit(f"more than {most} connections of {principal} (limits.connections_per_principal)")
        self._principals[principal] += 1

    def forget(self, principal: str) -> None:
        """Count it as this principal's no longer."""
        _less(self._principals, principal)


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
