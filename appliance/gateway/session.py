"""A client that has come in through a door: who it is, where it is connected to, and how it may be made to leave."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Literal

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.snapshot import Door, Target
from appliance.gateway.pair import Pair

Ending = Literal["moved", "outage", "removed", "idle"]


@dataclass(eq=False)
class Session:
    door: Door
    node_id: int | None
    """The node whose door it came through; None: the bootstrap door."""
    sock: socket.socket
    address: str
    port: int
    target: Target | None = None
    exchange: Exchange | None = None
    pair: Pair | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ending: Ending | None = None

    @property
    def peer(self) -> str:
        """Where the client is, for the log."""
        return f"{self.address}:{self.port}"

    @property
    def client_id(self) -> str:
        """The client id last heard, empty if none was."""
        return self.exchange.client_id if self.exchange else ""

    @property
    def writes_in_flight(self) -> int:
        """Writes that went upstream and have no answer yet."""
        return self.exchange.ledger.writes if self.exchange else 0

    def end(self, ending: Ending) -> None:
        """Stop its pumps; what becomes of the client's connection depends on why."""
        if self.ending is None:
            self.ending = ending
        self.scope.cancel()
