"""The executive summary: what was simulated, what recovered, what was lost; every sentence from the data."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.journal.events import Event, LabActed, SwitchoverProgressed
from appliance.report.figures import amount, count, listing, seconds
from appliance.report.findings import was_read
from appliance.report.summary import Ledger, Recovery, Summary

_ACTED = {
    "kill": "killed",
    "stop": "stopped",
    "pause": "paused",
    "resume": "resumed",
    "start": "started",
    "stop-replication": "stopped replication of",
    "start-replication": "started replication of",
}


@dataclass(frozen=True)
class Narrative:
    simulated: str
    recovered: str
    lost: str


def narrative(summary: Summary, events: list[Event]) -> Narrative:
    """Tell the run in three short paragraphs."""
    return Narrative(_simulated(summary, events), _recovered(summary.recovery), _lost(summary, events))


def acted(event: LabActed) -> str:
    """Word what the lab did to a real part: `killed brokers 1, 2 and 3 of primary`."""
    brokers = listing([str(each) for each in event.brokers])
    noun = "broker" if len(event.brokers) == 1 else "brokers"
    target = f"{noun} {brokers} of {event.cluster}" if event.brokers else event.cluster
    return f"{_ACTED[event.action]} {target}"


def _simulated(summary: Summary, events: list[Event]) -> str:
    sentences = [f"{_traffic(summary)} while the drill ran {summary.scenario} for {seconds(summary.duration_seconds)}."]
    if summary.faults:
        faults = listing([f"{each.name} ({each.type})" for each in summary.faults])
        sentences.append(f"It injected {amount(len(summary.faults), 'fault')}: {faults}.")
    if acts := list(dict.fromkeys(acted(each) for each in events if isinstance(each, LabActed))):
        sentences.append(f"On real parts, the lab {listing(acts)}.")
    sentences += _switchovers(events)
    if not summary.faults and len(sentences) == 1:
        sentences.append("Nothing was disrupted.")
    return " ".join(sentences)


def _traffic(summary: Summary) -> str:
    clients = list(
        dict.fromkeys([each.client for each in summary.availability] + [each.client for each in summary.recovery])
    )
    if not clients:
        return "No client was at work"
    return f"{amount(len(clients), 'client was', 'clients were')} at work ({listing(clients)})"


def _switchovers(events: list[Event]) -> list[str]:
    last: dict[str, tuple[float, SwitchoverProgressed]] = {}
    for event in events:
        if isinstance(event, SwitchoverProgressed):
            began = last.get(event.virtual_cluster, (event.at, event))[0]
            last[event.virtual_cluster] = (began, event)
    told = []
    for name, (began, end) in last.items():
        took = seconds(end.at - began)
        if end.state == "done":
            told.append(f"The virtual cluster {name} was switched over in {took}.")
        elif end.state in ("failed", "rolled-back"):
            how = "failed" if end.state == "failed" else "was rolled back"
            told.append(f"The switchover of the virtual cluster {name} {how} after {took}.")
        else:
            told.append(f"The switchover of the virtual cluster {name} did not end; its last state was {end.state}.")
    return told


def _recovered(recovery: list[Recovery]) -> str:
    struck = [each for each in recovery if each.disrupted_at is not None]
    if not struck:
        return "No client was disrupted, so there was nothing to recover from."
    back = [each for each in struck if each.stable_seconds is not None]
    missing = [each.client for each in struck if each.stable_seconds is None]
    sentences = []
    if missing:
        sentences.append(f"Not stable again within the window: {listing(missing)}.")
    if back:
        slowest = max(back, key=lambda each: each.stable_seconds or 0.0)
        whole = _whole(len(back), len(struck))
        took = seconds(slowest.stable_seconds or 0.0)
        sentences.append(f"{whole}; the slowest, {slowest.client}, worked steadily {took} after the disruption began.")
    worst = max(struck, key=lambda each: each.longest_gap_seconds)
    sentences.append(f"The longest time without a success was {seconds(worst.longest_gap_seconds)} ({worst.client}).")
    return " ".join(sentences)


def _whole(back: int, struck: int) -> str:
    if back < struck:
        return f"{count(back)} of {amount(struck, 'disrupted client')} recovered"
    return "The one disrupted client recovered" if struck == 1 else f"All {count(struck)} disrupted clients recovered"


def _lost(summary: Summary, events: list[Event]) -> str:
    ledger = summary.ledger
    if not was_read(summary, events):
        acknowledged = amount(ledger.acknowledged, "record was", "records were")
        return f"{acknowledged} acknowledged, but no final read took place: whether any were lost is not known."
    if not ledger.acknowledged:
        return "No record was acknowledged to a producer: this says nothing about durability."
    fate = "none were" if not ledger.lost else "1 was" if ledger.lost == 1 else f"{count(ledger.lost)} were"
    sentences = [
        f"Of {amount(ledger.acknowledged, 'acknowledged record')}, {fate} missing from "
        f"{summary.surviving_cluster or 'the surviving cluster'} at the final read.",
        _anomalies(ledger),
    ]
    if ledger.indeterminate:
        verb = "is" if ledger.indeterminate_found == 1 else "are"
        found = f"{count(ledger.indeterminate_found)} of them {verb} in the log"
        sentences.append(f"{amount(ledger.indeterminate, 'record')} had no certain outcome; {found}.")
    return " ".join(sentences)


def _anomalies(ledger: Ledger) -> str:
    kinds = {
        "duplicated": ledger.duplicated,
        "out of order": ledger.reordered,
        "altered": ledger.altered,
        "skipped by a consumer": ledger.skipped,
        "delivered again": ledger.redelivered,
    }
    found = [f"{count(number)} {kind}" for kind, number in kinds.items() if number]
    absent = [kind for kind, number in kinds.items() if not number]
    if not found:
        return "None were duplicated, out of order, altered, skipped by a consumer or delivered again."
    rest = f" None were {_either(absent)}." if absent else ""
    return f"Found: {listing(found)}.{rest}"


def _either(kinds: list[str]) -> str:
    return " or ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)
