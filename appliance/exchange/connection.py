"""What both directions of a connection pair share."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.exchange.addresses import Advertise
from appliance.exchange.ledger import Ledger
from appliance.exchange.limits import Limits
from appliance.exchange.message import NOBODY, Peer
from appliance.exchange.snapshot import Route
from appliance.exchange.topology import Knowledge


@dataclass
class Connection:
    """The state of one connection pair. `route` may be replaced between two steps; requests under way keep theirs."""

    route: Route
    knowledge: Knowledge
    advertise: Advertise
    limits: Limits = field(default_factory=Limits)
    peer: Peer = NOBODY

    def __post_init__(self) -> None:
        self.ledger = Ledger()
        self.client_id = ""
        """The client id last heard in a request that was looked into."""
