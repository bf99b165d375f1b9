"""The kinds that a user declares: one envelope, one spec per kind.

    apiVersion: tidegate/v1
    kind: VirtualCluster
    metadata: {name: orders}
    spec: {cluster: primary, standbys: [standby]}

Unknown keys are errors everywhere; durations, sizes and rates carry their unit. Cross references (a virtual
cluster that names a cluster) are checked by `control` when a set of resources becomes a snapshot.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from appliance.resources.units import Duration, Ratio

API_VERSION = "tidegate/v1"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A resource's name: lower case letters, digits and dashes, at most 63, as in DNS labels."""

_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` (IPv6 in brackets). Raises ValueError with what was expected."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"expected HOST:PORT, such as broker-1.example:9092; found {text!r}")
    return match["ipv6"] or match["host"], int(match["port"])


def _address(text: str) -> str:
    parse_address(text)
    return text


Address = Annotated[str, AfterValidator(_address), Field(examples=["127.0.0.1:9092"])]


class Spec(BaseModel):
    """A part of what a user declares: closed (unknown keys are errors) and immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(Spec):
    name: Name


class ClusterSpec(Spec):
    """One Kafka cluster behind the gateway."""

    bootstrap: list[Address] = Field(min_length=1)


class BrokerPorts(Spec):
    """The deterministic map from node id to port: `first + id % count`, but for the ids in `pinned`.

    A pure function of the node id, so that restarts and replicas of the gateway agree without talking to each
    other. Two brokers of one cluster whose ids fall on one port cannot both be served: status says so and
    names the remedy (`pinned`).
    """

    first: int = Field(ge=1, le=65535)
    count: int = Field(default=1000, ge=1)
    pinned: dict[int, Annotated[int, Field(ge=1, le=65535)]] = Field(default_factory=dict)

    def port_of(self, node_id: int) -> int:
        """Return the port on which the broker with this node id is reached through the gateway."""
        return self.pinned.get(node_id, self.first + node_id % self.count)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.first + self.count - 1 > 65535:
            raise ValueError(f"first + count - 1 is {self.first + self.count - 1}: ports end at 65535")
        return self


class ListenerSpec(Spec):
    """One bootstrap port, and a port per broker, for one virtual cluster."""

    bind: Address
    """Address of the bootstrap port."""
    advertise: str | None = None
    """Host that clients are told; the bound host where absent."""
    virtual_cluster: Name
    broker_ports: BrokerPorts | None = None
    """Where absent: the ports after the bootstrap port, up to 1000 of them."""

    def ports(self) -> BrokerPorts:
        """Return the map from node id to port that holds for this listener."""
        if self.broker_ports is not None:
            return self.broker_ports
        port = parse_address(self.bind)[1]
        return BrokerPorts(first=port + 1, count=min(1000, 65535 - port))

    @model_validator(mode="after")
    def _room_for_brokers(self) -> Self:
        host, port = parse_address(self.bind)
        if port == 65535 and self.broker_ports is None:
            raise ValueError("no port is left after 65535 for the brokers: say broker_ports")
        if self.advertise is None and host in ("0.0.0.0", "::"):  # noqa: S104 - refused here, not bound
            raise ValueError(f"clients cannot connect to {host}: say advertise, the host name that clients are told")
        return self


class VirtualClusterSpec(Spec):
    """What clients see as one cluster; which real cluster serves it can change while they are connected."""

    cluster: Name
    """The cluster that serves it until a switchover says otherwise."""
    standbys: list[Name] = Field(default_factory=list)
    """Clusters that it may be switched to."""
    replication: Literal["mirrormaker", "offset-preserving", "none"] = "none"
    """How records get from `cluster` to the standbys: decides how a planned switchover measures the lag."""
    producer_ids: Literal["tagged", "plain"] = "tagged"
    """`tagged`: ids from InitProducerId are made unique across clusters (the only safe setting for a virtual
    cluster that may be switched). `plain` exists for the drill that shows what happens without it."""


class Select(Spec):
    """Which requests a fault may strike. Absent means any; globs as in a shell."""

    client_id: str | None = None
    apis: list[str] | None = None
    """Names as in Kafka's protocol: Produce, Fetch, Metadata, ..."""
    topic: str | None = None
    partitions: list[int] | None = None


class Trigger(Spec):
    """Which of the matching requests are struck; exactly one of the fields, `always` where none is given."""

    first: int | None = Field(default=None, ge=1)
    """The first n."""
    nth: int | None = Field(default=None, ge=1)
    """Only the n-th."""
    every: int | None = Field(default=None, ge=1)
    """Every n-th."""
    probability: Ratio | None = None
    """Each with this chance, by a generator seeded from (seed, fault, client, ordinal)."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("first", "nth", "every", "probability") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"expected one trigger, found {', '.join(given)}")
        return self


class LatencySpec(Spec):
    """Hold each struck frame; frames behind it on the same connection wait too, as they would behind a slow
    broker."""

    delay: Duration
    jitter: Duration = Field(default=0.0, json_schema_extra={"default": "0s"})
    """Uniform, added to the delay."""


class ErrorSpec(Spec):
    """Answer the struck partitions with an error that a broker could have given."""

    code: str
    """Kafka's name of the error: NOT_ENOUGH_REPLICAS."""


class OutageSpec(Spec):
    """Make one cluster unreachable through the gateway."""

    cluster: Name
    mode: Literal["refuse", "reset", "blackhole"]
    """refuse: connections to it fail at once and those that stand are closed; reset: the same with a TCP
    reset towards the client; blackhole: connections stand, bytes go nowhere."""


class FaultSpec(Spec):
    """A disturbance with a lease. Exactly one of `latency`, `error`, `outage`."""

    virtual_cluster: Name
    select: Select = Select()
    trigger: Trigger = Trigger()
    apply: Literal["before", "after"] = "before"
    """Strike before the request goes upstream (the broker never sees it) or after the broker has applied
    it."""
    starts_in: Duration = Field(default=0.0, json_schema_extra={"default": "0s"})
    duration: Duration
    """How long it lasts at the most; also a fault whose runner has died ends then."""
    lease: Duration = Field(default=15.0, json_schema_extra={"default": "15s"})
    """It lapses when it has not been renewed for this long."""
    seed: int = 0
    latency: LatencySpec | None = None
    error: ErrorSpec | None = None
    outage: OutageSpec | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("latency", "error", "outage") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of latency, error, outage; found {', '.join(given) or 'none'}")
        return self

    @property
    def type(self) -> Literal["latency", "error", "outage"]:
        """Return which of the three it is."""
        return "latency" if self.latency else "error" if self.error else "outage"


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    api_version: Literal["tidegate/v1"] = Field(default="tidegate/v1", alias="apiVersion")
    metadata: Metadata

    @property
    def name(self) -> str:
        """Return the name from the metadata."""
        return self.metadata.name


class Cluster(_Resource):
    kind: Literal["Cluster"] = "Cluster"
    spec: ClusterSpec


class Listener(_Resource):
    kind: Literal["Listener"] = "Listener"
    spec: ListenerSpec


class VirtualCluster(_Resource):
    kind: Literal["VirtualCluster"] = "VirtualCluster"
    spec: VirtualClusterSpec


class Fault(_Resource):
    kind: Literal["Fault"] = "Fault"
    spec: FaultSpec


Resource = Annotated[Cluster | Listener | VirtualCluster | Fault, Field(discriminator="kind")]

PLURALS: dict[str, str] = {
    "clusters": "Cluster",
    "listeners": "Listener",
    "virtualclusters": "VirtualCluster",
    "faults": "Fault",
}
"""The word in a URL or on the command line -> the kind."""
