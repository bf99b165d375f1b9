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
    "preflight",
    "transactions",
    "fence",
    "drain",
    "groups",
    "positions",
    "switch",
    "move",
    "unfence",
    "verify",
    "done",
    "rolled-back",
    "failed",
]
PauseBefore = Literal["transactions", "fence", "drain", "groups", "positions", "switch", "move", "unfence", "verify"]
FenceState = Literal["open", "ending", "held", "refused"]
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
    """What a switchover is to do. The same request again while it is under way is the same switchover."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Name
    """The cluster that is to serve: one of the virtual cluster's standbys, or its own `cluster` on the way
    back."""
    mode: SwitchoverMode = "planned"
    """`planned` drains replication first and loses nothing; `unplanned` is for when the source is gone."""
    hold: Duration | None = Field(default=None, gt=0, le=300)
    """How long writes may be held at the fence. Absent: two thirds of the shortest timeout in the Produce requests of
    those who write (their request timeout), 20s at the most."""
    refuse: Duration = Field(default=40.0, ge=0, le=300, json_schema_extra={"default": "40s"})
    """How long they are then refused with a retriable error, before it is all rolled back: together with `hold` below
    the clients' delivery timeout (120s in Java)."""
    finish_transactions: Duration = Field(default=5.0, ge=0, le=300, json_schema_extra={"default": "5s"})
    """How long open transactions have to end; what is open then is aborted."""
    leave_transactions: bool = False
    """Leave what is open then as it is: on a cluster with other users those may be theirs."""
    sync_groups: Duration = Field(default=5.0, ge=0, le=300, json_schema_extra={"default": "5s"})
    """How long the groups' committed offsets are waited for on the target."""
    dry_run: bool = False
    """Preflight only: answer with the plan, change nothing."""
    leave_records_behind: bool = False
    """Do not measure replication: records that are only on the source stay there."""
    pause_before: list[PauseBefore] = Field(default_factory=list)
    """For drills: stop in front of these steps until someone says to go on."""
    key: str | None = Field(default=None, min_length=1, max_length=200)
    """Idempotency key: a request with a key that is known already is answered with that switchover."""


class PartitionLag(_Answer):
    topic: str
    partition: int
    lag: int
    """Records that the target does not have yet."""
    known: bool = True
    """False where no offset sync tells: `lag` is then all that the source holds of the partition."""


class SwitchoverFinding(_Answer):
    """Something that an operator must know."""

    severity: Literal["blocks", "warns"]
    subject: str
    expected: str
    found: str
    remedy: str


class SwitchoverClients(_Answer):
    """Clients of one software and version, as they say themselves (KIP-511); empty where they do not."""

    software: str
    version: str
    connections: int
    timeout: float | None = None
    """The shortest time, in seconds, that they wait for the answer to a write; null: they have not written."""


class SwitchoverPart(_Answer):
    """A virtual cluster that moves."""

    virtual_cluster: str
    connections: int
    writes_in_flight: int
    clients: list[SwitchoverClients] = Field(default_factory=list)
    """The most connections first."""


class SwitchoverGroup(_Answer):
    """A group that reads from the source."""

    name: str
    type: str
    state: str
    clients: list[str] = Field(default_factory=list)
    """Client ids of its members, as far as the broker tells them (classic groups)."""
    partitions: int
    lag: int


class SwitchoverTransaction(_Answer):
    """A transaction that is open on the source."""

    transactional_id: str
    state: str
    started: str | None
    partitions: int


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
    findings: list[SwitchoverFinding] = Field(default_factory=list)
    """What stands in the way (`blocks`), and what to know before it is run (`warns`)."""
    parts: list[SwitchoverPart] = Field(default_factory=list)
    groups: list[SwitchoverGroup] = Field(default_factory=list)
    transactions: list[SwitchoverTransaction] = Field(default_factory=list)
    hold: float | None = None
    """How long writes will be held at the most, in seconds; null: they are not (unplanned)."""
    problems: list[str] = Field(default_factory=list)
    """The findings that forbid the switchover, in one sentence each."""
    notes: list[str] = Field(default_factory=list)
    """The others."""


class GroupPositionAnswer(_Answer):
    """What a group has committed for a partition, on both sides."""

    group: str
    topic: str
    partition: int
    committed: int
    on_target: int | None
    behind: int | None
    """Records that it will read again; null: it cannot be told."""


class Transition(_Answer):
    """The switchover entered a state, or had something to say in it."""

    state: SwitchoverState
    at: str
    seconds: float
    """Since the switchover was asked for."""
    detail: str = ""


class SwitchoverAnswer(_Answer):
    """A switchover and how far it is; `state` is one of FINAL_STATES when it is over."""

    id: str
    virtual_cluster: str
    """The first of them."""
    virtual_clusters: list[str]
    source: str
    target: str
    mode: SwitchoverMode
    dry_run: bool
    asked_by: str
    state: SwitchoverState
    detail: str = ""
    """The last thing said: for `rolled-back` the reason, for `failed` what to do."""
    history: list[Transition] = Field(default_factory=list)
    lag: list[PartitionLag] = Field(default_factory=list)
    """The last measurement: the partitions that lag."""
    groups: list[GroupPositionAnswer] = Field(default_factory=list)
    """The last measurement: groups' positions, those that are behind first."""
    aborted: list[str] = Field(default_factory=list)
    """Transactional ids whose open transaction was aborted."""
    indeterminate: int = 0
    """Writes that had no answer when an unplanned switch took place: they may be on the old cluster or not."""
    paused_before: SwitchoverState | None = None
    resumed_at: SwitchoverState | None = None
    """The step in which a restarted gateway found it."""
    plan: SwitchoverPlan | None = None

    @property
    def over(self) -> bool:
        """Return whether nothing more will happen."""
        return self.state in FINAL_STATES


class SwitchoverList(_Answer):
    items: list[SwitchoverAnswer]


class HeldFetch(_Answer):
    """A client whose Fetch waits after a switchover, until its groups have given it positions of the new side."""

    client_id: str
    host: str
    groups: dict[str, int]
    """Group -> members that have not asked for their offsets yet."""
    seconds: float


class VirtualClusterStatus(_Answer):
    name: str
    serving: str
    """The cluster that serves it now."""
    fenced: bool
    connections: int
    writes_in_flight: int
    fence: FenceState = "open"
    """What becomes of writes: they flow; only open transactions go on to their end; held; refused for a while."""
    switchover: SwitchoverState | None = None
    """State of its latest switchover."""
    switchover_id: str | None = None
    switchover_detail: str = ""
    """What happened in it: also how a restart of the gateway ended it."""
    held: list[HeldFetch] = Field(default_factory=list)
    """Clients that find nothing new since a switchover, as they are about to be given new positions."""


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


class WatchedCluster(_Answer):
    """A cluster as a failover policy sees it."""

    name: str
    standing: Literal["unknown", "healthy", "unhealthy"]
    failure: str = ""
    """Why the last try of the canary failed; empty: it did not."""
    exposure: float | None = None
    """Seconds of writes that a successor may lack; null: never measured, or it is the watched cluster itself."""
    lacks: str = ""
    """What a successor lacked at the last look; empty: nothing."""


class PolicyStatus(_Answer):
    """What a failover policy thinks."""

    name: str
    cluster: str
    decision: Literal["none", "alert", "switch"]
    why: str
    clusters: list[WatchedCluster]
    """The watched one first."""


class PolicyEventAnswer(_Answer):
    at: str
    text: str


class PolicyAnswer(PolicyStatus):
    """The same, with what it saw and did since the gateway started or the policy was changed."""

    events: list[PolicyEventAnswer] = Field(default_factory=list)


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
    policies: list[PolicyStatus] = Field(default_factory=list)
