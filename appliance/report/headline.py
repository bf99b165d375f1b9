"""The verdict at a glance: its word, what it means, and the two figures that everyone asks for (RTO, RPO)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.journal.events import Event
from appliance.report.figures import NOTHING, amount, bound, seconds
from appliance.report.findings import was_read
from appliance.report.summary import Objective, Summary, Verdict

Tone = Literal["good", "bad", "doubt", "plain"]
"""How something is coloured; never the only carrier of what it says."""

WORDS: dict[Verdict, str] = {
    "pass": "PASS",
    "fail": "FAIL",
    "invalid": "INVALID",
    "inconclusive": "INCONCLUSIVE",
    "aborted": "ABORTED",
    "tool-error": "TOOL ERROR",
    "interrupted": "INTERRUPTED",
}

MEANINGS: dict[Verdict, str] = {
    "pass": "Every objective was met.",
    "fail": "At least one objective was missed.",
    "invalid": "The scenario could not be run as it is written; nothing was tested.",
    "inconclusive": "The drill proves nothing either way; it must be repeated.",
    "aborted": "The drill was stopped before its end, by a guard or an operator.",
    "tool-error": "The drill itself failed; this says nothing about the system under test.",
    "interrupted": "The drill was interrupted before its end.",
}

TONES: dict[str, Tone] = {
    "pass": "good",
    "fail": "bad",
    "inconclusive": "doubt",
    "aborted": "doubt",
    "interrupted": "doubt",
}
"""Verdicts of runs and objectives; those not listed are bad."""


_FAMILIES = {
    "RTO": ("recovery.stable", "recovery.first_success", "unavailability.longest"),
    "RPO": ("lost.records",),
}
"""The metrics of objectives that say something of recovery time and recovery point, the most telling first."""


@dataclass(frozen=True)
class Figure:
    """A measurement beside its target, set large."""

    short: str
    name: str
    measured: str
    note: str
    """The target, or that there is none."""
    tone: Tone


def figures(summary: Summary, events: list[Event]) -> list[Figure]:
    """Return the recovery time and the recovery point: from objectives named so, else as measured."""
    return [_rto(summary), _rpo(summary, events)]


def _rto(summary: Summary) -> Figure:
    short, name = "RTO", "Recovery time"
    if objective := _worst(summary, "RTO"):
        return _judged(short, name, objective)
    struck = [each for each in summary.recovery if each.disrupted_at is not None]
    if not struck:
        return Figure(short, name, NOTHING, "no client was disrupted; no target set", "plain")
    times = [each.stable_seconds for each in struck if each.stable_seconds is not None]
    if len(times) < len(struck):
        return Figure(short, name, "not recovered", "within the window; no target set", "bad")
    return Figure(short, name, seconds(max(times)), "last client stable; no target set", "plain")


def _rpo(summary: Summary, events: list[Event]) -> Figure:
    short, name = "RPO", "Acknowledged records lost"
    if objective := _worst(summary, "RPO"):
        return _judged(short, name, objective)
    if not was_read(summary, events):
        return Figure(short, name, "not known", "no final read took place; no target set", "doubt")
    lost = summary.ledger.lost
    return Figure(short, name, amount(lost, "record"), "no target set", "bad" if lost else "plain")


def _worst(summary: Summary, family: Literal["RTO", "RPO"]) -> Objective | None:
    """Return the objective of this family with the worst verdict; of equal ones, the one whose metric comes first."""
    metrics = _FAMILIES[family]
    found = [each for each in summary.objectives if each.metric in metrics]
    order = ("fail", "inconclusive", "pass")
    return min(found, key=lambda each: (order.index(each.verdict), metrics.index(each.metric)), default=None)


def _judged(short: str, name: str, objective: Objective) -> Figure:
    return Figure(short, name, bound(objective.measured), f"target {bound(objective.target)}", TONES[objective.verdict])
