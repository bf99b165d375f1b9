"""What the timeline shows: lanes of bars and marks, from the journal and the summary; no coordinates yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.journal import events as e
from appliance.report.figures import count, moment, seconds
from appliance.report.narrative import acted
from appliance.report.summary import Summary

Kind = Literal["phase", "step", "fault", "disruption", "switchover", "end", "failed", "lab"]
_HARM = ("kill", "stop", "pause", "stop-replication")
_SWITCHED = ("done", "rolled-back", "failed")


@dataclass(frozen=True)
class Item:
    """A bar from `start` to `end`, or a mark where the two are one moment."""

    start: float
    end: float
    label: str
    kind: Kind
    title: str
    """What a reader is told on hovering."""

    @property
    def is_mark(self) -> bool:
        """Whether this has no length by its nature (a kill, a state reached)."""
        return self.start == self.end


@dataclass(frozen=True)
class Lane:
    name: str
    items: list[Item]


def lanes(events: list[e.Event], summary: Summary) -> list[Lane]:
    """Return the lanes that have something in them, in the order in which they are drawn."""
    end = horizon(events, summary)
    found = [
        Lane("Phases", list(_phases(events, end))),
        Lane("Steps", list(_steps(events, end))),
        Lane("Faults", list(_faults(events, end))),
        Lane("Switchover", list(_switchover(events, end))),
        Lane("Lab acts", list(_acts(events))),
    ]
    return [lane for lane in found if lane.items]


def horizon(events: list[e.Event], summary: Summary) -> float:
    """Return the end of the time axis in seconds; never zero."""
    spans = [span.end for each in summary.availability for span in each.spans]
    return max([1.0, summary.duration_seconds, *spans, *(event.at for event in events)])


def disruption(summary: Summary) -> float | None:
    """Return when the first client was first disrupted; None if none was."""
    return min((each.disrupted_at for each in summary.recovery if each.disrupted_at is not None), default=None)


def _phases(events: list[e.Event], end: float) -> Iterable[Item]:
    ends = [(event.phase, event.at) for event in events if isinstance(event, e.PhaseEnded)]
    for event in events:
        if isinstance(event, e.PhaseStarted):
            yield _bar(
                event.at,
                _end_of(event.phase, event.at, ends, end),
                event.phase,
                "phase",
                f"phase {event.phase}",
            )


def _steps(events: list[e.Event], end: float) -> Iterable[Item]:
    ends = [(event.step, event.at) for event in events if isinstance(event, e.StepEnded)]
    for event in events:
        if isinstance(event, e.StepStarted):
            told = f"step {event.step}: {event.action}"
            yield _bar(event.at, _end_of(event.step, event.at, ends, end), event.step, "step", told)


def _faults(events: list[e.Event], end: float) -> Iterable[Item]:
    ends = [(event.fault, event.at) for event in events if isinstance(event, e.FaultEnded)]
    fired = {event.fault: event.fired for event in events if isinstance(event, e.FaultEnded)}
    for event in events:
        if isinstance(event, e.FaultArmed):
            label = (
                f"{event.fault} \N{MULTIPLICATION SIGN} {count(fired[event.fault])}"
                if event.fault in fired
                else event.fault
            )
            told = f"fault {event.fault} ({event.type}): {event.description}"
            kind: Kind = "disruption" if event.disrupts else "fault"
            yield _bar(event.at, _end_of(event.fault, event.at, ends, end), label, kind, told)


def _end_of(name: str, start: float, ends: Sequence[tuple[str, float]], end: float) -> float:
    """Return when what began at `start` under this name ended; the end of the run if it did not."""
    return next((at for other, at in ends if other == name and at >= start), end)


def _switchover(events: Iterable[e.Event], end: float) -> Iterable[Item]:
    states = [event for event in events if isinstance(event, e.SwitchoverProgressed)]
    several = len({event.virtual_cluster for event in states}) > 1
    for index, event in enumerate(states):
        of = f"{event.virtual_cluster} " if several else ""
        told = f"switchover of {event.virtual_cluster}: {event.state}" + (f", {event.detail}" if event.detail else "")
        if event.state in _SWITCHED:
            kind: Kind = "end" if event.state == "done" else "failed"
            yield Item(event.at, event.at, of + event.state, kind, f"{told}, at {moment(event.at)} s")
            continue
        later = (other.at for other in states[index + 1 :] if other.virtual_cluster == event.virtual_cluster)
        yield _bar(event.at, next(later, end), of + event.state, "switchover", told, timed=True)


def _acts(events: Iterable[e.Event]) -> Iterable[Item]:
    for event in events:
        if isinstance(event, e.LabActed):
            kind: Kind = "failed" if event.action in _HARM else "lab"
            yield Item(event.at, event.at, acted(event), kind, f"the lab {acted(event)}, at {moment(event.at)} s")


def _bar(start: float, stop: float, label: str, kind: Kind, told: str, *, timed: bool = False) -> Item:
    shown = f"{label} {seconds(stop - start)}" if timed else label
    times = f"{moment(start)} to {moment(stop)} s ({seconds(stop - start)})"
    return Item(start, stop, shown, kind, f"{told}, {times}")
