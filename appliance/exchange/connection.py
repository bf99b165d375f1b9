"""What both directions of a connection pair share."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.exchange.addresses import Advertise
from appliance.exchange.ledger import Ledger
from appliance.exchange.limits import Limits
from appliance.exchange.message import NOBODY, Peer, Question
from appliance.exchange.meters import ApiMeters, Metering
from appliance.exchange.route import Route
from appliance.exchange.shared_answers import Asked, SharedAnswers
from appliance.exchange.software import UNTOLD, Software
from appliance.exchange.topology import Knowledge
from appliance.wire.apis import Api


@dataclass
class Connection:
    """The state of one connection pair. `route` may be replaced between two steps; requests under way keep theirs."""

    route: Route
    knowledge: Knowledge
    advertise: Advertise
    limits: Limits = field(default_factory=Limits)
    peer: Peer = NOBODY
    software: Software = UNTOLD
    """The client's, as it was last told."""

    asks: bool = False
    """It is the gateway that asks who the client is: SASL requests are for it (`Then.AUTHENTICATE`)."""

    others: SharedAnswers | None = None
    """Where all clients see the same of the cluster: what others have just been told. None: each asks for itself."""
    node_id: int | None = None
    """The node that the client means to talk to; None: any."""
    meters: ApiMeters = field(default_factory=ApiMeters)
    """Of the virtual cluster."""

    @property
    def shared_answers(self) -> SharedAnswers | None:
        """The answers that this connection may give and take: not those of a cluster that it is not connected to."""
        return None if self.astray else self.others

    @property
    def astray(self) -> bool:
        """Whether the cluster at the other end is not the one that serves."""
        return self.knowledge.cluster != self.route.target.name

    @property
    def kept_from_writing(self) -> bool:
        """Whether no write may go upstream now: writes are held, or the cluster at the other end serves no more."""
        return self.route.fenced or self.astray

    def asked(self, question: Question) -> Asked:
        """Return what others may have asked as well."""
        of_the_node = question.api_key == Api.API_VERSIONS
        return Asked(
            question.api_key, question.api_version, bytes(question.body), self.node_id if of_the_node else None
        )

    def __post_init__(self) -> None:
        self.metering = Metering(self.meters)
        self.ledger = Ledger(self.metering)
        self.expired = False
        """The client must authenticate again before anything else (KIP-368)."""
        self.logged_in_upstream = False
        """The client has begun to tell the broker who it is."""
        self.reserved = False
        """The gateway itself has something to ask upstream: no further request goes there (`Then.YIELD`)."""
        self.introduction: bytes | None = None
        """The client's ApiVersions request, where it was answered here and its broker has not had it yet: it learns
        from it what software the client is."""
        self.client_id = ""
        """The client id last heard in a request that was looked into."""
        self.produce_timeout: float | None = None
        """The seconds that a Produce request last gave the broker; None: there was none."""
