"""The record of one switchover: what was asked, the states that it went through, what was found.

    preflight -> fence -> drain -> switch -> move -> unfence -> verify -> done

Before `switch` everything can be taken back (`rolled-back`: nothing was changed); after it an error is
`failed`, and says what to do. An unplanned switchover has no fence and drain of its own: the snapshot that
switches also fences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from appliance.control.replication import Lag

Mode = Literal["planned", "unplanned"]
State = Literal["preflight", "fence", "drain", "switch", "move", "unfence", "verify", "done", "rolled-back", "failed"]
FINAL: frozenset[State] = frozenset({"done", "rolled-back", "failed"})


@dataclass
class Transition:
    """Entering a state; `detail` grows truer while the state lasts."""

    state: State
    at: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """What preflight found; with `problems` the switchover does not take place."""

    source: str
    target: str
    topics: int
    partitions: int
    connections: int
    lag: int | None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clocks:
    """The wall clock for people, a monotonic one for durations."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]


@dataclass
class Switchover:
    """One switchover; changed by its conductor alone, read by anyone."""

    virtual_cluster: str
    source: str
    target: str
    mode: Mode
    hold: float
    dry_run: bool
    clocks: Clocks
    history: list[Transition] = field(default_factory=list)
    lag: list[Lag] = field(default_factory=list)
    """The last measurement: the partitions that lag."""
    plan: Plan | None = None

    def __post_init__(self) -> None:
        self._asked_at = self.clocks.monotonic()
        self.enter("preflight")

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

    def enter(self, state: State, detail: str = "") -> None:
        """Enter a state now."""
        at = self.clocks.wall().isoformat(timespec="milliseconds")
        self.history.append(Transition(state, at, round(self.clocks.monotonic() - self._asked_at, 4), detail))

    def say(self, detail: str) -> None:
        """Replace the detail of the present state."""
        self.history[-1].detail = detail
