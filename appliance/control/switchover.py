"""The record of one switchover: what was asked, the states that it went through, what was found.

    preflight -> transactions -> fence -> drain -> groups -> positions -> switch -> move -> unfence -> verify -> done

Before `switch` everything can be taken back (`rolled-back`: nothing was changed); after it an error is
`failed`, and says what to do. An unplanned switchover goes from `preflight` to `positions` and `switch`: the snapshot
that switches also fences. One switchover moves one virtual cluster, or several of one cluster to one other.

The record is on the disk before a state takes effect, so that a gateway that was killed finds what it was at;
`AT_RESTART` says what becomes of it then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.control.plan import Plan
from appliance.control.replication import Lag

Mode = Literal["planned", "unplanned"]
State = Literal[
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
FINAL: frozenset[State] = frozenset({"done", "rolled-back", "failed"})
AT_RESTART: Mapping[State, Literal["roll back", "carry on"]] = MappingProxyType(
    {
        "preflight": "roll back",
        "transactions": "roll back",
        "fence": "roll back",
        "drain": "roll back",
        "groups": "roll back",
        "positions": "roll back",
        "switch": "carry on",
        "move": "carry on",
        "unfence": "carry on",
        "verify": "carry on",
    }
)
"""What becomes of a switchover that a dead gateway left in this state. `switch` is in the record only together with
who serves from then on: one write of one file is the point of no return."""
LAGGING_KEPT = 20
"""Partitions of the last measurement that are kept on the disk."""


@dataclass
class Transition:
    """Entering a state; `detail` grows truer while the state lasts."""

    state: State
    at: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class GroupPosition:
    """What a group has committed for a partition, on both sides of the switchover."""

    group: str
    topic: str
    partition: int
    committed: int
    """On the source."""
    on_target: int | None
    behind: int | None
    """Records that the group will read again; None: it cannot be told."""


@dataclass(frozen=True)
class Clocks:
    """The wall clock for people, a monotonic one for durations."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]


class Order(BaseModel):
    """What was asked. Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    virtual_clusters: tuple[str, ...]
    source: str
    target: str
    mode: Mode = "planned"
    hold: float | None = None
    """How long writes are held; None: as long as the clients' patience allows (`holding`)."""
    refuse: float = 40.0
    """How long they are then refused with a retriable error, before it is all rolled back."""
    finish_transactions: float = 5.0
    """How long open transactions have to end, before they are aborted."""
    leave_transactions: bool = False
    """Do not abort them: they may be those of others on the same cluster."""
    sync_groups: float = 5.0
    """How long groups' offsets are waited for."""
    dry_run: bool = False
    leave_records_behind: bool = False
    pause_before: tuple[State, ...] = ()
    key: str | None = None
    asked_by: str = "api"


class KeptSwitchover(BaseModel):
    """A switchover as it is on the disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serial: int
    order: Order
    history: list[Transition]
    lag: list[Lag] = Field(default_factory=list)
    plan: Plan | None = None
    groups: list[GroupPosition] = Field(default_factory=list)
    aborted: list[str] = Field(default_factory=list)
    indeterminate: int = 0
    resumed_at: State | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.history[-1].state in FINAL


@dataclass
class Switchover:
    """One switchover; changed by its conductor alone, read by anyone."""

    order: Order
    serial: int
    clocks: Clocks
    history: list[Transition] = field(default_factory=list)
    lag: list[Lag] = field(default_factory=list)
    """The last measurement: the partitions that lag."""
    plan: Plan | None = None
    groups: list[GroupPosition] = field(default_factory=list)
    """The last measurement: what groups have committed."""
    aborted: list[str] = field(default_factory=list)
    """Transactional ids whose open transaction was aborted."""
    indeterminate: int = 0
    """Writes that had no answer from the source when an unplanned switch took place."""
    resumed_at: State | None = None
    """The state in which a restarted gateway found it."""
    paused_before: State | None = None
    """It waits for someone to let it go on."""

    def __post_init__(self) -> None:
        self._asked_at = self.clocks.monotonic()
        if not self.history:
            self.enter("preflight")

    @classmethod
    def revive(cls, kept: KeptSwitchover, clocks: Clocks) -> Switchover:
        """Return a switchover as it was kept; its seconds go on from when it was asked for."""
        values = {name: getattr(kept, name) for name in KeptSwitchover.model_fields}
        made = cls(**{**values, "history": [*kept.history]}, clocks=clocks)
        since = (clocks.wall() - datetime.fromisoformat(kept.history[0].at)).total_seconds()
        made._asked_at = clocks.monotonic() - max(since, kept.history[-1].seconds)
        return made

    def kept(self) -> KeptSwitchover:
        """Return what of it goes to the disk."""
        return KeptSwitchover(
            serial=self.serial,
            order=self.order,
            history=[*self.history],
            lag=self.lag[:LAGGING_KEPT],
            plan=self.plan,
            groups=self.groups,
            aborted=self.aborted,
            indeterminate=self.indeterminate,
            resumed_at=self.resumed_at,
        )

    @property
    def id(self) -> str:
        """What people call it by."""
        return f"sw-{self.serial}"

    @property
    def virtual_cluster(self) -> str:
        """The virtual cluster, or the first of several."""
        return self.order.virtual_clusters[0]

    @property
    def virtual_clusters(self) -> tuple[str, ...]:
        """All that are moved."""
        return self.order.virtual_clusters

    @property
    def source(self) -> str:
        """The cluster that served when it was asked for."""
        return self.order.source

    @property
    def target(self) -> str:
        """The cluster that is to serve."""
        return self.order.target

    @property
    def mode(self) -> Mode:
        """Whether the source is still there."""
        return self.order.mode

    @property
    def dry_run(self) -> bool:
        """Whether only the plan was asked for."""
        return self.order.dry_run

    @property
    def asked_by(self) -> str:
        """Who asked: the API, or a policy."""
        return self.order.asked_by

    @property
    def state(self) -> State:
        """The state that it is in."""
        return self.history[-1].state

    @property
    def detail(self) -> str:
        """The last thing said."""
        return self.history[-1].detail

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINAL

    @property
    def can_be_taken_back(self) -> bool:
        """Whether the point of no return is still ahead."""
        return not self.over and AT_RESTART[self.state] == "roll back"

    @property
    def in_words(self) -> str:
        """Whom it moves: `orders from primary to standby`."""
        return f"{', '.join(self.virtual_clusters)} from {self.source} to {self.target}"

    @property
    def whom(self) -> str:
        """What to write behind `tidegate switchover` to move the same ones once more."""
        return self.virtual_cluster if len(self.virtual_clusters) == 1 else f"--all-of {self.target}"

    def enter(self, state: State, detail: str = "") -> None:
        """Enter a state now."""
        at = self.clocks.wall().isoformat(timespec="milliseconds")
        self.history.append(Transition(state, at, round(self.clocks.monotonic() - self._asked_at, 4), detail))

    def say(self, detail: str) -> None:
        """Replace the detail of the present state."""
        self.history[-1].detail = detail
