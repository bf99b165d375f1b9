"""What can happen in a run: one frozen model per kind of event.

Every event is one line of `journal.jsonl`. `at` is seconds since the start of the run (monotonic); the wall clock
of the start is in `RunStarted`. Names are Kafka's for Kafka's things and the SRE's for the drill's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Phase = Literal["validate", "preflight", "baseline", "run", "heal", "settle", "final-read", "judge", "report"]

Security = Literal["none", "tls-scram"]
"""How a drill's clients come to the gateway: as they are, or over TLS with SCRAM-SHA-512."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float
    """Seconds since the run started."""


class RunStarted(_Event):
    kind: Literal["run.started"] = "run.started"
    scenario: str
    scenario_sha256: str
    seed: int
    lab: str
    """The lab that the run uses: apache, embedded, docker."""
    lab_note: str = ""
    """What a reader must know of the lab (for example that it was fallen back to, or how it replicates)."""
    workers: int = 1
    """Processes that the gateway serves in."""
    security: Security = "none"
    started: str
    """Wall clock, ISO 8601, UTC."""
    versions: dict[str, str]
    """Software -> version: tidegate, python, kafka, librdkafka, ..."""


class RunEnded(_Event):
    kind: Literal["run.ended"] = "run.ended"
    outcome: Literal["completed", "aborted", "interrupted", "tool-error"]
    detail: str = ""


class PhaseStarted(_Event):
    kind: Literal["phase.started"] = "phase.started"
    phase: Phase


class PhaseEnded(_Event):
    kind: Literal["phase.ended"] = "phase.ended"
    phase: Phase
    ok: bool
    detail: str = ""


class ClusterDescribed(_Event):
    kind: Literal["cluster.described"] = "cluster.described"
    cluster: str
    cluster_id: str
    brokers: list[int]
    """Node ids."""
    version: str
    role: Literal["primary", "standby"]


class ClientStarted(_Event):
    kind: Literal["client.started"] = "client.started"
    client: str
    role: Literal["producer", "assigned-consumer", "group-consumer"]
    topic: str
    detail: str
    """The settings that matter, for people: `acks=all, idempotent`, `group drill-planned`."""


class ClientError(_Event):
    """An error that the application saw: a failed delivery or a consumer error. Retries inside the library do not show
    here."""

    kind: Literal["client.error"] = "client.error"
    client: str
    error: str
    """Kafka's name of the error (`_MSG_TIMED_OUT`, `NOT_ENOUGH_REPLICAS`)."""
    count: int = 1


class SteadyStateChecked(_Event):
    kind: Literal["steady_state.checked"] = "steady_state.checked"
    name: str
    when: Literal["before", "after"]
    target: str
    measured: str
    ok: bool


class StepStarted(_Event):
    kind: Literal["step.started"] = "step.started"
    step: str
    action: str
    """What the step does, for people: `fault latency on orders, 200ms`."""


class StepEnded(_Event):
    kind: Literal["step.ended"] = "step.ended"
    step: str
    ok: bool
    detail: str = ""


class FaultArmed(_Event):
    kind: Literal["fault.armed"] = "fault.armed"
    fault: str
    type: str
    """latency, error, outage."""
    description: str
    disrupts: bool
    """True where clients are expected to fail while it lasts: recovery is measured from the first such moment."""


class FaultEnded(_Event):
    kind: Literal["fault.ended"] = "fault.ended"
    fault: str
    matched: int
    fired: int
    skipped: dict[str, int] = Field(default_factory=dict)
    """Reason -> count."""
    clients: list[str] = Field(default_factory=list)
    """Client ids that it struck."""


class LabActed(_Event):
    """The lab did something to a real part: a broker killed, paused, started, replication stopped."""

    kind: Literal["lab.acted"] = "lab.acted"
    action: Literal["kill", "stop", "pause", "resume", "start", "stop-replication", "start-replication"]
    cluster: str
    brokers: list[int] = Field(default_factory=list)


class SwitchoverProgressed(_Event):
    kind: Literal["switchover.progressed"] = "switchover.progressed"
    virtual_cluster: str
    state: str
    """preflight, fence, drain, switch, move, unfence, verify, done, rolled-back, failed."""
    detail: str = ""


class FinalRead(_Event):
    kind: Literal["final_read"] = "final_read"
    cluster: str
    topic: str
    partition: int
    records: int
    """Records found in the partition (those of this run's canaries)."""
    start_offset: int
    end_offset: int


class Noted(_Event):
    """A remark that a reader of the report must see."""

    kind: Literal["noted"] = "noted"
    text: str


Event = Annotated[
    RunStarted
    | RunEnded
    | PhaseStarted
    | PhaseEnded
    | ClusterDescribed
    | ClientStarted
    | ClientError
    | SteadyStateChecked
    | StepStarted
    | StepEnded
    | FaultArmed
    | FaultEnded
    | LabActed
    | SwitchoverProgressed
    | FinalRead
    | Noted,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event by its `kind`."""
