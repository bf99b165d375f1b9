"""The table of timestamped events: each event of the journal as one sentence, floods of equal ones as one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from appliance.journal import events as e
from appliance.report.figures import amount, listing, moment, relation
from appliance.report.headline import Tone
from appliance.report.narrative import acted

_FLOOD_SECONDS = 1.0
"""Errors of one kind and client no further apart than this are told as one row."""


@dataclass(frozen=True)
class Entry:
    """One row: when, of what, and what happened."""

    at: float
    subject: str
    """Run, phase, step, fault, switchover, lab, client, steady state, cluster, final read, note."""
    text: str
    tone: Tone = "plain"


def chronicle(events: list[e.Event]) -> list[Entry]:
    """Return the rows in the order of the journal."""
    return [_entry(event, times, until) for event, times, until in _gathered(events)]


def _gathered(events: list[e.Event]) -> Iterator[tuple[e.Event, int, float]]:
    """Yield each event with how often it came and until when; client errors and final reads are gathered."""
    kept: list[tuple[e.Event, int, float]] = []
    open_at: dict[tuple[str, str], int] = {}
    for event in events:
        if isinstance(event, e.ClientError):
            key = (event.client, event.error)
            index = open_at.get(key)
            if index is not None and event.at - kept[index][2] <= _FLOOD_SECONDS:
                first, times, _ = kept[index]
                kept[index] = (first, times + event.count, event.at)
                continue
            open_at[key] = len(kept)
            kept.append((event, event.count, event.at))
        elif isinstance(event, e.FinalRead):
            index = open_at.get((event.cluster, "\0" + event.topic))
            if index is not None:
                first, times, _ = kept[index]
                assert isinstance(first, e.FinalRead)
                kept[index] = (first.model_copy(update={"records": first.records + event.records}), times + 1, event.at)
                continue
            open_at[event.cluster, "\0" + event.topic] = len(kept)
            kept.append((event, 1, event.at))
        else:
            kept.append((event, 1, event.at))
    yield from kept


def _entry(event: e.Event, times: int, until: float) -> Entry:
    entry = _of_drill(event) or _of_parts(event)
    if isinstance(event, e.ClientError):
        span = f", until {moment(until)} s" if until > event.at else ""
        entry = Entry(event.at, "client", f"{event.client} saw {event.error}, {amount(times, 'time')}{span}", "doubt")
    if isinstance(event, e.FinalRead):
        text = f"Read {amount(event.records, 'record')} from {amount(times, 'partition')} of {event.topic} on {event.cluster}"
        entry = Entry(event.at, "final read", text)
    assert entry is not None, f"no sentence for {event.kind}"
    return entry


def _of_drill(event: e.Event) -> Entry | None:
    match event:
        case e.RunStarted():
            return Entry(event.at, "run", f"Started {event.scenario} on the lab {event.lab}, seed {event.seed}")
        case e.RunEnded():
            return _ended(event.at, "run", f"Ended: {event.outcome}", event.detail, ok=event.outcome == "completed")
        case e.PhaseStarted():
            return Entry(event.at, "phase", f"{event.phase} began")
        case e.PhaseEnded():
            return _ended(event.at, "phase", f"{event.phase} ended", event.detail, ok=event.ok)
        case e.StepStarted():
            return Entry(event.at, "step", f"{event.step} began: {event.action}")
        case e.StepEnded():
            return _ended(event.at, "step", f"{event.step} ended", event.detail, ok=event.ok)
        case e.SteadyStateChecked():
            text = f"{event.name} {event.when} the drill: target {relation(event.target)}, measured {event.measured}"
            entry = _ended(event.at, "steady state", text, "", ok=event.ok)
            return replace(entry, tone="plain" if event.ok else "bad")
        case e.Noted():
            return Entry(event.at, "note", event.text)
        case _:
            return None


def _of_parts(event: e.Event) -> Entry | None:
    match event:
        case e.ClusterDescribed():
            nodes = listing([str(each) for each in event.brokers]) or "none"
            return Entry(event.at, "cluster", f"{event.cluster} ({event.role}): Kafka {event.version}, brokers {nodes}")
        case e.ClientStarted():
            return Entry(event.at, "client", f"{event.client} started as {event.role} on {event.topic}: {event.detail}")
        case e.FaultArmed():
            return Entry(event.at, "fault", f"{event.fault} armed ({event.type}): {event.description}")
        case e.FaultEnded():
            text = f"{event.fault} ended: matched {amount(event.matched, 'request')}, fired {amount(event.fired, 'time')}"
            return Entry(event.at, "fault", text, "plain" if event.fired else "doubt")
        case e.LabActed():
            return Entry(event.at, "lab", f"The lab {acted(event)}")
        case e.SwitchoverProgressed():
            tone: Tone = "bad" if event.state in ("failed", "rolled-back") else "plain"
            detail = f": {event.detail}" if event.detail else ""
            return Entry(event.at, "switchover", f"{event.virtual_cluster} entered {event.state}{detail}", tone)
        case _:
            return None


def _ended(at: float, subject: str, text: str, detail: str, *, ok: bool) -> Entry:
    told = text if ok else f"{text} – not well"
    return Entry(at, subject, f"{told}: {detail}" if detail else told, "plain" if ok else "bad")
