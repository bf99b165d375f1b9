"""A client that has come in through a door: who it is, where it is connected to, and how it may be made to leave."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Literal

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.route import Target
from appliance.exchange.software import UNTOLD, Software
from appliance.gateway.channel import Channel
from appliance.gateway.pair import Pair
from appliance.gateway.snapshot import Door
from appliance.identity.conversation import Conversation
from appliance.identity.policy import ANONYMOUS
from appliance.identity.principal import Principal

Ending = Literal["moved", "outage", "removed", "idle", "revoked", "drained"]


@dataclass(eq=False)
class Session:
    door: Door
    node_id: int | None
    """The node whose door it came through; None: the bootstrap door."""
    sock: socket.socket
    address: str
    """The client's; behind a load balancer the one that it told."""
    port: int
    counted: bool = False
    """Whether it counts among the connections of its listener and its address."""
    identified: bool = False
    """Whether it counts among those of its principal."""
    channel: Channel | None = None
    """The client's side, once it is fit for traffic."""
    certificate: bytes | None = field(default=None, repr=False)
    """What the client showed in the TLS handshake, if anything (DER)."""
    principal: Principal | None = None
    """None where it is the broker that asks, or nobody."""
    conversation: Conversation | None = field(default=None, repr=False)
    greeting: Software = UNTOLD
    """Its software, where it said that to the gateway before it logged in."""
    target: Target | None = None
    exchange: Exchange | None = None
    pair: Pair | None = None
    writes_overdue: bool = False
    """It has writes that were held when another cluster came to serve, and that are not written there yet."""
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
    def name(self) -> str:
        """The name of its principal."""
        return self.principal.name if self.principal else ANONYMOUS.name

    @property
    def name_upstream(self) -> str | None:
        """The name that the client has upstream, where every principal has one; None: whoever logs in there, if anyone
        does, it is the client."""
        asked = self.door.spec.authentication
        return None if asked is None or asked.delegated else self.name

    @property
    def software(self) -> Software:
        """What it said that it is."""
        return self.exchange.software if self.exchange else self.greeting

    @property
    def produce_timeout(self) -> float | None:
        """The seconds that its last Produce request gave the broker; None: there was none."""
        return self.exchange.produce_timeout if self.exchange else None

    @property
    def writes_in_flight(self) -> int:
        """Writes that went upstream and have no answer yet."""
        return self.exchange.ledger.writes if self.exchange else 0

    @property
    def quiet(self) -> bool:
        """Whether no write waits for its answer. Who reads has a Fetch waiting at all times, and can ask again."""
        return not self.writes_in_flight

    def end(self, ending: Ending) -> None:
        """Stop its pumps; what becomes of the client's connection depends on why."""
        if self.ending is None:
            self.ending = ending
        if ending == "moved" and self.pair is not None:
            self.pair.part()
        self.scope.cancel()

    def described(self) -> str:
        """Return who it is and where, for the log."""
        named = f" ({self.client_id})" if self.client_id else ""
        known = f" as {self.principal}" if self.principal else ""
        node = "" if self.node_id is None else f", node {self.node_id}"
        cluster = f" to cluster {self.target.name}{node}" if self.target else ""
        return f"client {self.peer}{named}{known} on listener {self.door.name}{cluster}"
