"""What supervisor and worker say to each other, as JSON of these models.

supervisor -> worker     Begin, then Count*, Adopt, Ask, Move, Drain, Tidings
worker -> supervisor     Hello, then Report over and over; Moved; Tidings; or Failed, and its end
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from appliance.control.armoury import FaultCounts
from appliance.control.edition import Edition
from appliance.exchange.measures import Measures
from appliance.fleet.errors import LinkBroken
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.gateway.server import GatewayFacts
from appliance.policies.positions.hold_fetch import Held
from appliance.policies.positions.members import News


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# -- to a worker


class Begin(_Message):
    """The answer to Hello."""

    kind: Literal["begin"] = "begin"
    disguise: str = Field(repr=False)
    """In hexadecimal digits, see identity.Accounts: all workers must show an unknown user the same."""


class Count(_Message):
    """Comes with the descriptor of the count that the trigger of a fault goes by, before the fault does."""

    kind: Literal["count"] = "count"
    arming: int


class Adopt(_Message):
    """Serve by this edition; the first one opens the doors."""

    kind: Literal["adopt"] = "adopt"
    edition: Edition


class Ask(_Message):
    """Report now."""

    kind: Literal["ask"] = "ask"
    number: int
    measures: bool = False
    """With what has been measured: it is too much to be told twice a second."""


class Move(_Message):
    """Close the connections to clusters that do not serve any more, node by node; answer with Moved."""

    kind: Literal["move"] = "move"
    number: int
    virtual_cluster: str
    pause: float
    """Seconds between nodes."""


class Drain(_Message):
    """Take no more clients, let go of those that are there, and end within so many seconds."""

    kind: Literal["drain"] = "drain"
    seconds: float


# -- to the supervisor


class Hello(_Message):
    """The worker is there, and has no edition yet."""

    kind: Literal["hello"] = "hello"


class Failed(_Message):
    """The doors cannot be opened; the worker ends."""

    kind: Literal["failed"] = "failed"
    reason: str


class Connections(_Message):
    """Client connections of one kind."""

    virtual_cluster: str
    cluster: str
    node_id: int | None
    count: int


class Clients(_Message):
    """Clients of one kind."""

    kind: tuple[str, str, str]
    """Virtual cluster, software, version."""
    connections: int
    timeout: float | None


class Known(_Message):
    """What is known of a cluster."""

    cluster_id: str | None
    nodes: dict[int, tuple[str, int]]


class Facts(_Message):
    """GatewayFacts, but for the version, on the way."""

    connections: tuple[Connections, ...] = ()
    clusters: dict[str, Known] = Field(default_factory=dict)
    failures: dict[str, str] = Field(default_factory=dict)
    doors: tuple[tuple[str, int], ...] = ()
    clients: tuple[Clients, ...] = ()

    @classmethod
    def of(cls, facts: GatewayFacts) -> Facts:
        """Return the facts as they travel."""
        return cls(
            connections=tuple(
                Connections(virtual_cluster=virtual_cluster, cluster=cluster, node_id=node_id, count=count)
                for (virtual_cluster, cluster, node_id), count in facts.connections.items()
            ),
            clusters={
                name: Known(cluster_id=cluster_id, nodes=dict(nodes))
                for name, (cluster_id, nodes) in facts.clusters.items()
            },
            failures=dict(facts.failures),
            doors=facts.doors,
            clients=tuple(
                Clients(kind=kind, connections=its.connections, timeout=its.timeout)
                for kind, its in facts.clients.items()
            ),
        )

    def counted(self) -> Counter[tuple[str, str, int | None]]:
        """Return the connections as GatewayFacts has them."""
        return Counter({(each.virtual_cluster, each.cluster, each.node_id): each.count for each in self.connections})

    def clientele(self) -> dict[ClientKind, Clientele]:
        """Return the clients as GatewayFacts has them."""
        return {ClientKind(*each.kind): Clientele(each.connections, each.timeout) for each in self.clients}


class Report(_Message):
    """How a worker stands. The first one says that its doors are open."""

    kind: Literal["report"] = "report"
    edition: int
    """Version of the edition in effect."""
    facts: Facts = Facts()
    writes: dict[str, int] = Field(default_factory=dict)
    """Virtual cluster -> writes that went upstream and have no answer yet."""
    overdue: dict[str, int] = Field(default_factory=dict)
    """Virtual cluster -> connections with writes that were held and are still to be written on the new side."""
    held: dict[str, tuple[Held, ...]] = Field(default_factory=dict)
    """Virtual cluster -> the clients whose Fetch is held; those that have none are not there."""
    faults: dict[int, FaultCounts] = Field(default_factory=dict)
    """What has changed since the last report, by arming."""
    answers: int = 0
    """The latest Ask that was heard."""
    silence: float = 0.0
    """Seconds since the data path has last shown that it turns."""
    measures: Measures | None = None
    """Where it was asked for."""


class Moved(_Message):
    """The Move of this number is done, or could not be."""

    kind: Literal["moved"] = "moved"
    number: int
    connections: int = 0
    error: str | None = None


class Tidings(_Message):
    """What one worker heard of members of groups; the supervisor passes it on to all others."""

    kind: Literal["tidings"] = "tidings"
    news: dict[str, tuple[News, ...]]
    """By virtual cluster."""


_Kind = TypeVar("_Kind")
Order = Begin | Count | Adopt | Ask | Move | Drain | Tidings
Word = Hello | Failed | Report | Moved | Tidings

_ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
_WORDS: TypeAdapter[Word] = TypeAdapter(Annotated[Word, Field(discriminator="kind")])


def encoded(message: Order | Word) -> bytes:
    """Return the message as it travels."""
    return message.model_dump_json(by_alias=True).encode()


def order_from(payload: bytes) -> Order:
    """Return what the supervisor says. Raises LinkBroken."""
    return _checked(_ORDERS, payload)


def word_from(payload: bytes) -> Word:
    """Return what a worker says. Raises LinkBroken."""
    return _checked(_WORDS, payload)


def _checked(kinds: TypeAdapter[_Kind], payload: bytes) -> _Kind:
    try:
        return kinds.validate_json(payload)
    except ValidationError as error:
        raise LinkBroken(f"expected a message of this version of tidegate: {error}") from error
