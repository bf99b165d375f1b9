"""What happens in a drill, one thing at a time; only a fault may go on in the background."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from appliance.resources.envelope import Name, Spec
from appliance.resources.fault import ErrorSpec, FaultSpec, LatencySpec, OutageSpec, Select, Trigger
from appliance.resources.units import Duration, format_duration

LabVerb = Literal["kill", "stop", "pause", "resume", "start", "stop-replication", "start-replication"]
"""What the lab can do, in the journal's words."""

_VERBS = ("kill", "stop", "pause", "resume", "start")
_REPLICATION = ("stop_replication", "start_replication")
_ACTIONS = ("fault", "switchover", "lab", "turns", "wait", "observe")


class FaultAction(Spec):
    """A fault on the virtual cluster; its name is the step's id. One of `latency`, `error`, `outage`."""

    select: Select = Select()
    trigger: Trigger = Trigger()
    apply: Literal["before", "after"] = "before"
    duration: Duration
    latency: LatencySpec | None = None
    error: ErrorSpec | None = None
    outage: OutageSpec | None = None
    disrupts: bool | None = None
    """Whether recovery is measured from here; where absent: for outage and error yes, for latency no."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("latency", "error", "outage") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of latency, error, outage; found {', '.join(given) or 'none'}")
        if self.duration <= 0:
            raise ValueError("duration: expected more than 0s")
        if self.outage:
            asked = {"trigger", "apply"} & self.model_fields_set
            asked |= {
                f"select.{name}" for name in ("apis", "topic", "partitions") if getattr(self.select, name) is not None
            }
            if asked:
                raise ValueError(f"an outage strikes connections, not requests: it takes no {', '.join(sorted(asked))}")
        return self

    @property
    def type(self) -> Literal["latency", "error", "outage"]:
        """Return which of the three it is."""
        return "latency" if self.latency else "error" if self.error else "outage"

    @property
    def disruptive(self) -> bool:
        """Return whether clients are expected to fail while it lasts."""
        return self.type != "latency" if self.disrupts is None else self.disrupts

    def spec(self, virtual_cluster: str, seed: int) -> FaultSpec:
        """Return the resource's spec that the gateway is given."""
        return FaultSpec(
            virtual_cluster=virtual_cluster,
            select=self.select,
            trigger=self.trigger,
            apply=self.apply,
            duration=format_duration(self.duration),  # units are read from text only
            seed=seed,
            latency=self.latency,
            error=self.error,
            outage=self.outage,
        )


class Switchover(Spec):
    """Let another cluster serve the virtual cluster."""

    to: Name
    mode: Literal["planned", "unplanned"] = "planned"
    """planned: wait until replication has caught up; unplanned: do not, for its source is gone."""
    hold: Duration | None = None
    """How long writes are held at the most while it goes on; where absent, the gateway chooses."""


class Nothing(Spec):
    """An action that takes no options: `{}`."""


class LabAction(Spec):
    """Something real is done to the lab: exactly one verb. Healing starts again what was stopped."""

    kill: Name | None = None
    """SIGKILL: nothing is said to anyone, nothing is flushed."""
    stop: Name | None = None
    """SIGTERM: brokers hand over leadership and leave."""
    pause: Name | None = None
    """SIGSTOP: connections stand, nobody answers."""
    resume: Name | None = None
    start: Name | None = None
    brokers: list[int] | None = Field(default=None, min_length=1)
    """Node ids; all of the cluster where absent."""
    stop_replication: Nothing | None = None
    start_replication: Nothing | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in (*_VERBS, *_REPLICATION) if getattr(self, name) is not None]
        if len(given) != 1:
            verbs = ", ".join((*_VERBS, *_REPLICATION))
            raise ValueError(f"expected exactly one of {verbs}; found {', '.join(given) or 'none'}")
        if given[0] in _REPLICATION and self.brokers is not None:
            raise ValueError(f"{given[0]} concerns no brokers")
        return self

    @property
    def verb(self) -> LabVerb:
        """Return what is to be done, in the journal's words."""
        verbs: dict[str, LabVerb] = {
            "kill": "kill",
            "stop": "stop",
            "pause": "pause",
            "resume": "resume",
            "start": "start",
            "stop_replication": "stop-replication",
            "start_replication": "start-replication",
        }
        return next(verb for name, verb in verbs.items() if getattr(self, name) is not None)

    @property
    def cluster(self) -> str | None:
        """Return the cluster that it is done to; None where it is done to replication."""
        return next(
            (each for each in (self.kill, self.stop, self.pause, self.resume, self.start) if each is not None),
            None,
        )


class Turns(Spec):
    """Producers write to one partition in turn, each record acknowledged or given up before the next.

    So two producers' batches alternate in one partition for certain, which traffic at a rate cannot
    promise: it is how a broker comes to mistake one producer for another. The producers are idle otherwise
    (`rate: 0/s`).
    """

    clients: list[Name] = Field(min_length=1)
    """In this order, round after round."""
    partition: int = Field(default=0, ge=0)
    records: int = Field(default=10, ge=1)
    """That each of them writes."""


class Observe(Spec):
    """Do nothing but look. Exactly one of `until` (with `timeout`) and `for`."""

    model_config = ConfigDict(populate_by_name=True)

    until: Literal["stable"] | None = None
    """stable: until every client works without a failure or a gap for 5 s."""
    timeout: Duration | None = None
    """The longest that it waits, 60s where absent; then the drill goes on, and the objectives judge."""
    period: Duration | None = Field(default=None, alias="for")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.until is None) == (self.period is None):
            raise ValueError(f"expected exactly one of until, for; found {'none' if self.until is None else 'both'}")
        if self.period is not None and self.timeout is not None:
            raise ValueError("timeout belongs to until; with for, the time is certain")
        return self

    @property
    def longest(self) -> float:
        """Return the seconds that it takes at the most."""
        return self.period if self.period is not None else 60.0 if self.timeout is None else self.timeout


class Step(Spec):
    """One thing that happens. Exactly one of `fault`, `switchover`, `lab`, `turns`, `wait`, `observe`."""

    id: Name
    fault: FaultAction | None = None
    background: bool = False
    """Let the next step start while the fault lasts. Without it, the step lasts as long as the fault."""
    switchover: Switchover | None = None
    lab: LabAction | None = None
    turns: Turns | None = None
    wait: Duration | None = None
    observe: Observe | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in _ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(_ACTIONS)}; found {', '.join(given) or 'none'}")
        if self.background and self.fault is None:
            raise ValueError(f"only a fault lasts in the background, not {given[0]}")
        return self
