"""The table of events: each event of the journal as one sentence, floods of equal ones as one row.

`_tell` has one sentence per kind of event. Errors of a client and the partitions of a final read come in numbers:
they are gathered before they are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from appliance.journal import events as e
from appliance.report.figures import amount, bound, listing, moment
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


@dataclass
class _Flood:
    """Events that are told as one: the first, how many there are, and when the last came."""

    first: e.Event
    times: int
    until: float
    records: int = 0


def chronicle(events: list[e.Event]) -> list[Entry]:
    """Return the rows in the order of the journal."""
    return [_tell(flood.first, flood) for flood in _gathered(events)]


def _gathered(events: list[e.Event]) -> list[_Flood]:
    floods: list[_Flood] = []
    latest: dict[tuple[str, str, str], _Flood] = {}
    for event in events:
        flood = _Flood(event, 1, event.at)
        key: tuple[str, str, str]
        if isinstance(event, e.ClientError):
            flood.times = event.count
            key = (event.kind, event.client, event.error)
            joins = key in latest and event.at - latest[key].until <= _FLOOD_SECONDS
        elif isinstance(event, e.FinalRead):
            flood.records = event.records
            key = (event.kind, event.cluster, event.topic)
            joins = key in latest
        else:
            floods.append(flood)
            continue
        if joins:
            latest[key].times += flood.times
            latest[key].records += flood.records
            latest[key].until = event.at
        else:
            latest[key] = flood
            floods.append(flood)
    return floods


@singledispatch
def _tell(event: e.Event, flood: _Flood) -> Entry:  # noqa: ARG001 - the signature of all that are registered below
    raise TypeError(f"no sentence for the event {event!r}: register one in chronicle.py")


@_tell.register
def _(event: e.RunStarted, _: _Flood) -> Entry:
    return Entry(event.at, "run", f"Started {event.scenario} on the lab {event.lab}, seed {event.seed}")


@_tell.register
def _(event: e.RunEnded, _: _Flood) -> Entry:
    text = f"Ended, {event.outcome}" + (f": {event.detail}" if event.detail else "")
    return Entry(event.at, "run", text, "plain" if event.outcome == "completed" else "bad")


@_tell.register
def _(event: e.PhaseStarted, _: _Flood) -> Entry:
    return Entry(event.at, "phase", f"{event.phase} began")


@_tell.register
def _(event: e.PhaseEnded, _: _Flood) -> Entry:
    return _ended(event.at, "phase", event.phase, event.detail, ok=event.ok)


@_tell.register
def _(event: e.StepStarted, _: _Flood) -> Entry:
    return Entry(event.at, "step", f"{event.step} began: {event.action}")


@_tell.register
def _(event: e.StepEnded, _: _Flood) -> Entry:
    return _ended(event.at, "step", event.step, event.detail, ok=event.ok)


@_tell.register
def _(event: e.ClusterDescribed, _: _Flood) -> Entry:
    nodes = listing([str(each) for each in event.brokers]) or "none"
    text = f"{event.cluster} ({event.role}) runs Kafka {event.version} with the brokers {nodes}"
    return Entry(event.at, "cluster", text)


@_tell.register
def _(event: e.ClientStarted, _: _Flood) -> Entry:
    text = f"{event.client} started as {event.role} on {event.topic}: {event.detail}"
    return Entry(event.at, "client", text)


@_tell.register
def _(event: e.ClientError, flood: _Flood) -> Entry:
    until = f", until {moment(flood.until)} s" if flood.until > event.at else ""
    text = f"{event.client} saw {event.error}, {amount(flood.times, 'time')}{until}"
    return Entry(event.at, "client", text, "doubt")


@_tell.register
def _(event: e.SteadyStateChecked, _: _Flood) -> Entry:
    held = "held" if event.ok else "did not hold"
    text = f"{event.name} {held} {event.when} the drill: {bound(event.target)}, measured {bound(event.measured)}"
    return Entry(event.at, "steady state", text, "plain" if event.ok else "bad")


@_tell.register
def _(event: e.FaultArmed, _: _Flood) -> Entry:
    return Entry(event.at, "fault", f"{event.fault} armed ({event.type}): {event.description}")


@_tell.register
def _(event: e.FaultEnded, _: _Flood) -> Entry:
    text = f"{event.fault} ended: matched {amount(event.matched, 'request')}, fired {amount(event.fired, 'time')}"
    return Entry(event.at, "fault", text, "plain" if event.fired else "doubt")


@_tell.register
def _(event: e.LabActed, _: _Flood) -> Entry:
    return Entry(event.at, "lab", f"The lab {acted(event)}")


@_tell.register
def _(event: e.SwitchoverProgressed, _: _Flood) -> Entry:
    text = f"{event.virtual_cluster} entered {event.state}" + (f": {event.detail}" if event.detail else "")
    return Entry(event.at, "switchover", text, "bad" if event.state in ("failed", "rolled-back") else "plain")


@_tell.register
def _(event: e.FinalRead, flood: _Flood) -> Entry:
    found = f"{amount(flood.records, 'record')} in {amount(flood.times, 'partition')}"
    return Entry(event.at, "final read", f"Found {found} of {event.topic} on {event.cluster}")


@_tell.register
def _(event: e.Noted, _: _Flood) -> Entry:
    return Entry(event.at, "note", event.text)


def _ended(at: float, subject: str, name: str, detail: str, *, ok: bool) -> Entry:
    text = f"{name} {'ended' if ok else 'failed'}" + (f": {detail}" if detail else "")
    return Entry(at, subject, text, "plain" if ok else "bad")
