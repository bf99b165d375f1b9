"""The verdict of one run in numbers: the model of `summary.json`.

Others rely on these names; its JSON Schema is committed as `docs/schemas/summary.json` and a test keeps the two
equal. Times are seconds since the start of the run unless a name says otherwise.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.journal.events import Security

Verdict = Literal["pass", "fail", "invalid", "inconclusive", "aborted", "tool-error", "interrupted"]


class ExitCode(IntEnum):
    """What `tidegate drill run` ends with."""

    PASS = 0
    OBJECTIVE_MISSED = 1
    INVALID = 2
    INCONCLUSIVE = 3
    ABORTED = 4
    TOOL_ERROR = 5
    INTERRUPTED = 130


EXIT_CODES: dict[Verdict, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.OBJECTIVE_MISSED,
    "invalid": ExitCode.INVALID,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "aborted": ExitCode.ABORTED,
    "tool-error": ExitCode.TOOL_ERROR,
    "interrupted": ExitCode.INTERRUPTED,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ledger(_Part):
    """Counts of records, over all partitions and canaries."""

    acknowledged: int
    """Acknowledged to the producing client."""
    lost: int
    """Acknowledged, and absent from the surviving cluster's log at the final read."""
    duplicated: int
    """Extra copies in the surviving log: a record that stands there n times counts n - 1."""
    reordered: int
    """Records that stand in the log behind a later one of the same producer and partition."""
    redelivered: int
    """Deliveries of a record to a consumer that had it already."""
    skipped: int
    """Records of the log that a consumer passed over and never got."""
    indeterminate: int
    """Sent, neither acknowledged nor certainly refused."""
    indeterminate_found: int
    """Of those, how many are in the log after all (legal, and not a loss if they are not)."""
    altered: int
    """Records whose content differs from what was sent under that id."""


class PartitionIntegrity(_Part):
    """The ledger of one partition as one client sees it; reports list only those with something to say."""

    client: str
    topic: str
    partition: int
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    redelivered: int = 0
    skipped: int = 0
    indeterminate: int = 0
    altered: int = 0
    samples: list[str] = Field(default_factory=list)
    """Ids of some records concerned, each with what is wrong: `lost canary/3/117`. At most 20."""


class Objective(_Part):
    name: str
    metric: str
    target: str
    """For people: `= 0 records`, `<= 30 s`."""
    measured: str
    verdict: Literal["pass", "fail", "inconclusive"]
    detail: str = ""
    """Why, where the numbers do not say it."""


class FaultOutcome(_Part):
    name: str
    type: str
    description: str
    matched: int
    fired: int
    skipped: dict[str, int]
    clients: list[str]


class Recovery(_Part):
    """How one client came back. Seconds count from `disrupted_at`; None means not within the window."""

    client: str
    role: str
    disrupted_at: float | None
    """When the first disruption began (outage, loss of the cluster, switchover); None where there was none."""
    first_success_seconds: float | None
    stable_seconds: float | None
    """Until the start of the first 5 s in which it works without a failure or a gap."""
    longest_gap_seconds: float
    """The longest time without a success between two successes, after the baseline began."""


class Span(_Part):
    """One stretch of a client's availability."""

    start: float
    end: float
    state: Literal["ok", "degraded", "down"]


class Availability(_Part):
    client: str
    spans: list[Span]


class SteadyState(_Part):
    name: str
    target: str
    before: str
    before_ok: bool
    after: str
    after_ok: bool


class ClusterFacts(_Part):
    name: str
    role: str
    cluster_id: str
    version: str
    brokers: list[int]


class Integrity(_Part):
    """What binds the summary to the record."""

    journal_head: str
    """Hash of the journal's last line (SHA-256 chain)."""
    journal_events: int
    ledger_sha256: str
    scenario_sha256: str


class Summary(_Part):
    """summary.json."""

    format: Literal["tidegate/summary/v1"] = "tidegate/summary/v1"
    scenario: str
    title: str
    description: str
    started: str
    """Wall clock, ISO 8601, UTC."""
    duration_seconds: float
    verdict: Verdict
    exit_code: int
    reasons: list[str]
    """Why the verdict is what it is, most important first; empty for a pass."""
    lab: str
    lab_note: str
    seed: int
    workers: int = 1
    """Processes that the gateway served in."""
    security: Security = "none"
    """How the drill's clients came to the gateway."""
    surviving_cluster: str
    ledger: Ledger
    partitions: list[PartitionIntegrity]
    objectives: list[Objective]
    faults: list[FaultOutcome]
    recovery: list[Recovery]
    availability: list[Availability]
    steady_state: list[SteadyState]
    clusters: list[ClusterFacts]
    versions: dict[str, str]
    integrity: Integrity
