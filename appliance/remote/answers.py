"""What the control API answers, and the bodies that it takes beside resources.

Times are ISO 8601 in UTC; durations are written with their unit, as in resources.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.resources.envelope import Metadata, Name
from appliance.resources.fault import FaultSpec
from appliance.resources.kinds import Resource
from appliance.resources.units import Duration

Outcome = Literal["created", "changed", "unchanged"]
SwitchoverMode = Literal["planned", "unplanned"]
SwitchoverState = Literal[
    "preflight", "fence", "drain", "switch", "move", "unfence", "verify", "done", "rolled-back", "failed"
]
FINAL_STATES: frozenset[SwitchoverState] = frozenset({"done", "rolled-back", "failed"})
FaultState = Literal["pending", "active", "ended", "lapsed", "removed"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class ProblemDetails(_Answer):
    """An error, as in RFC 9457 (application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[str] = Field(default_factory=list)
    """All that is wrong, each with its path in the body."""


class Applied(_Answer):
    """The resource as it stands after a PUT, and what the PUT did."""

    outcome: Outcome
    resource: Resource


class ResourceList(_Answer):
    items: list[Resource]


class FaultStatus(_Answer):
    """How a fault fares; the counters stay readable after its end, until a fault of the same name replaces
    it."""

    state: FaultState
    matched: int
    """Requests that the selectors matched."""
    fired: int
    """Requests (or, in an outage, connections) that were struck."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Reason -> count of matching requests that were not struck."""
    clients: list[str] = Field(default_factory=list)
    """Client ids that were struck."""


class FaultAnswer(_Answer):
    """A fault with its status."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)

    api_version: Literal["tidegate/v1"] = Field(default="tidegate/v1", alias="apiVersion")
    kind: Literal["Fault"] = "Fault"
    metadata: Metadata
    spec: FaultSpec
    status: FaultStatus

    @property
    def name(self) -> str:
        """Return the name from the metadata."""
        return self.metadata.name


class FaultList(_Answer):
    items: list[FaultAnswer]


class SwitchoverRequest(BaseModel):
    """What a switchover is to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Name
    """The cluster that is to serve: one of the virtual cluster's standbys, or its own `cluster` on the way
    back."""
    mode: SwitchoverMode = "planned"
    """`planned` drains replication first and loses nothing; `unplanned` is for when the source is gone."""
    hold: Duration = Field(default=20.0, gt=0, le=300, json_schema_extra={"default": "20s"})
    """How long writes may be held at the fence: below the request timeout of the clients (30s in Java)."""
    dry_run: bool = False
    """Preflight only: answer with the plan, change nothing."""
    leave_records_behind: bool = False
    """Do not measure replication: records that are only on the source stay there."""


class PartitionLag(_Answer):
    topic: str
    partition: int
    lag: int
    """Records that the target does not have yet."""
    known: bool = True
    """False where no offset sync tells: `lag` is then all that the source holds of the partition."""


class SwitchoverPlan(_Answer):
    """What preflight found."""

    source: str
    target: str
    topics: int
    partitions: int
    connections: int
    """Client connections that will be moved."""
    lag: int | None
    """Records not replicated yet, where that can be measured."""
    problems: list[str] = Field(default_factory=list)
    """What forbids the switchover."""
    notes: list[str] = Field(default_factory=list)
    """What to know before it is run."""


class Transition(_Answer):
    """The switchover entered a state, or had something to say in it."""

    state: SwitchoverState
    at: str
    seconds: float
    """Since the switchover was asked for."""
    detail: str = ""


class SwitchoverAnswer(_Answer):
    """A switchover and how far it is; `state` is one of FINAL_STATES when it is over."""

    virtual_cluster: str
    source: str
    target: str
    mode: SwitchoverMode
    dry_run: bool
    state: SwitchoverState
    detail: str = ""
    """The last thing said: for `rolled-back` the reason, for `failed` what to do."""
    history: list[Transition] = Field(default_factory=list)
    lag: list[PartitionLag] = Field(default_factory=list)
    """The last measurement: the partitions that lag."""
    plan: SwitchoverPlan | None = None

    @property
    def over(self) -> bool:
        """Return whether nothing more will happen."""
        return self.state in FINAL_STATES


class VirtualClusterStatus(_Answer):
    name: str
    serving: str
    """The cluster that serves it now."""
    fenced: bool
    connections: int
    writes_in_flight: int
    switchover: SwitchoverState | None = None
    """State of its latest switchover since the gateway started."""


class ClusterStatus(_Answer):
    name: str
    cluster_id: str | None = None
    """As the cluster names itself, once the gateway has heard it."""
    brokers: dict[int, str] = Field(default_factory=dict)
    """Node id -> HOST:PORT, as discovered."""
    connections: int = 0
    error: str | None = None
    """The last thing that went wrong with it."""


class ListenerStatus(_Answer):
    name: str
    virtual_cluster: str
    bootstrap: str
    """What clients put into bootstrap.servers."""
    problems: list[str] = Field(default_factory=list)


class WorkerStatus(_Answer):
    """A process that serves clients."""

    number: int
    pid: int | None
    """None: it is dead, and will be replaced."""
    snapshot: int
    """Version of the configuration that it serves; 0: none yet."""
    connections: int
    uptime: str
    """With its units."""
    restarts: int
    """How often its predecessors died."""


class LiveFaultStatus(_Answer):
    name: str
    type: str
    virtual_cluster: str
    state: FaultState
    fired: int


class StatusAnswer(_Answer):
    """The whole gateway at a glance."""

    version: str
    snapshot: int
    """Version of the configuration that every worker serves, or a later one."""
    published: int
    """Version of the newest configuration; it is in effect everywhere when `snapshot` is the same."""
    workers: list[WorkerStatus]
    virtual_clusters: list[VirtualClusterStatus]
    clusters: list[ClusterStatus]
    listeners: list[ListenerStatus]
    faults: list[LiveFaultStatus]
    """Pending and active ones."""
