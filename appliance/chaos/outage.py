"""Outage: one cluster cannot be reached through the gateway, in one of the ways in which networks fail."""

from __future__ import annotations

from appliance.chaos.aim import Aim
from appliance.exchange.interceptor import Mode


class ClusterOutage:
    """Counts what the gateway does in its name: each connection refused, cut or silenced."""

    def __init__(self, aim: Aim, mode: Mode) -> None:
        self._aim = aim
        self.mode: Mode = mode

    def struck(self, client_id: str) -> None:
        """Count one connection."""
        self._aim.counters.matched += 1
        self._aim.struck(client_id)
