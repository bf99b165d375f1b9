"""What speaks against a pass, in sentences for people, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from appliance.drills.objectives import Evidence, Judgement, counted, places
from appliance.drills.scenario import Scenario
from appliance.drills.scenario.judging import seconds_text
from appliance.drills.tables import NOT_MEASURED, of_kind
from appliance.journal.events import ClientStarted, Event, FaultEnded, PhaseEnded, RunEnded, StepEnded, StepStarted
from appliance.report.summary import FaultOutcome, SteadyState, Verdict

_NEVER_TOLERATED = ("lost", "altered")
"""Fails the run unless an objective of the scenario speaks of it: nobody agrees to it by saying nothing."""


@dataclass
class Case:
    """Reasons by their weight, while they are gathered."""

    broken: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Return all of them, most important first, each once."""
        return list(dict.fromkeys([*self.broken, *self.interrupted, *self.aborted, *self.misses, *self.doubts]))

    @property
    def verdict(self) -> Verdict:
        """Return the first verdict that applies."""
        if self.broken:
            return "tool-error"
        if self.interrupted:
            return "interrupted"
        if self.aborted:
            return "aborted"
        if self.misses:
            return "fail"
        return "inconclusive" if self.doubts else "pass"


def make_case(
    scenario: Scenario,
    events: Sequence[Event],
    evidence: Evidence,
    judgements: Sequence[Judgement],
    *,
    steady: Sequence[SteadyState],
    faults: Sequence[FaultOutcome],
) -> Case:
    """Gather what speaks against a pass.

    A run that was cut short is in doubt as a whole: of its doubts only the cut is told, beside every proven miss.
    """
    case = Case()
    completed = _judge_end(case, events)
    case.misses += [each.reason for each in judgements if each.row.verdict == "fail"]
    case.misses += _untolerated(scenario, evidence)
    if completed:
        case.doubts += [each.reason for each in judgements if each.row.verdict == "inconclusive"]
        case.doubts += [each for each in evidence.unknown if not any(each in doubt for doubt in case.doubts)]
        _judge_steady_state(case, steady)
        _judge_steps(case, scenario, events, faults)
        _judge_clients(case, scenario, events, evidence)
    return case


def _judge_end(case: Case, events: Sequence[Event]) -> bool:
    """Judge how the run ended; return whether it was played whole."""
    ended = next(of_kind(events, RunEnded), None)
    outcome, detail = (ended.outcome, ended.detail) if ended else ("tool-error", "the record has no end")
    said = f": {detail}" if detail else ""
    if outcome == "tool-error":
        case.broken.append(f"the run ended by an error{said}")
    elif outcome == "interrupted":
        case.interrupted.append(f"the run was interrupted{said}")
    elif outcome == "aborted" and next(of_kind(events, StepStarted), None) is None:
        case.doubts.append(f"the drill did not begin{said}")
    elif outcome == "aborted":
        case.aborted.append(f"the run was aborted{said}")
    for phase in of_kind(events, PhaseEnded):
        told = f": {phase.detail}" if phase.detail else ""
        if phase.phase == "heal" and not phase.ok and "healing failed" not in said:
            case.broken.append(f"healing failed{told}")
        elif phase.phase in ("settle", "final-read") and not phase.ok and outcome == "completed":
            case.doubts.append(f"{phase.phase.replace('-', ' ')} was not complete{told}")
    return outcome == "completed"


def _untolerated(scenario: Scenario, evidence: Evidence) -> list[str]:
    reasons = []
    for kind in _NEVER_TOLERATED:
        spoken_for = [each.client for each in scenario.objectives if each.metric == f"{kind}.records"]
        rows = [
            row
            for row in evidence.results.of(kind)
            if not any(evidence.matches(glob, row.place.client) for glob in spoken_for)
        ]
        if rows:
            found = counted(sum(row.count for row in rows), kind)
            reasons.append(f"{found}: {places(rows)}; no objective of the scenario allows any")
    return reasons


def _judge_steady_state(case: Case, steady: Sequence[SteadyState]) -> None:
    for each in steady:
        if each.before == NOT_MEASURED:
            case.doubts.append(f"before the drill, {each.name} was not measured")
        elif not each.before_ok:
            case.doubts.append(
                f"before the drill, {each.name}: {each.before}, expected {each.target}: there was no steady state"
            )
        elif each.after == NOT_MEASURED:
            case.doubts.append(f"after the drill, {each.name} was not measured")
        elif not each.after_ok:
            case.misses.append(f"after the drill, {each.name}: {each.after}, expected {each.target}")


def _judge_steps(case: Case, scenario: Scenario, events: Sequence[Event], faults: Sequence[FaultOutcome]) -> None:
    ends = {event.step: event for event in of_kind(events, StepEnded)}
    accounts = {event.fault for event in of_kind(events, FaultEnded)}
    outcomes = {fault.name: fault for fault in faults}
    for step in scenario.steps:
        end = ends.get(step.id)
        if end is None:
            case.doubts.append(f"step {step.id} was not played to its end")
        elif not end.ok and not step.observe:  # who was not back in time is told by name, below
            said = f"step {step.id} did not succeed{': ' + end.detail if end.detail else ''}"
            (case.misses if step.switchover else case.doubts).append(said)
        if step.fault is None or end is None:
            continue
        fault = outcomes.get(step.id)
        if fault is None:
            case.doubts.append(f"fault {step.id} was never armed")
        elif step.id not in accounts:
            case.doubts.append(f"fault {step.id}: nobody knows what it struck, for its end is not on record")
        elif fault.fired == 0:
            case.doubts.append(
                f"fault {step.id} struck nothing: it fired 0 times, of {fault.matched} matching requests"
            )


def _judge_clients(case: Case, scenario: Scenario, events: Sequence[Event], evidence: Evidence) -> None:
    begun = {event.client for event in of_kind(events, ClientStarted)}
    for name, count in evidence.traffic.items():
        if name not in begun:
            case.doubts.append(f"client {name} was never started")
        elif count == 0:
            had = "had no record acknowledged" if name in evidence.producers else "got no record"
            case.doubts.append(f"no traffic: {name} {had}")
    spoken_for = [each.client for each in scenario.objectives if each.metric.startswith("recovery.")]
    for each in evidence.recoveries:
        worst = each.worst
        silent = worst is not None and worst.first_success is None and each.successes > 0
        if worst and silent and not any(fnmatchcase(each.client, glob) for glob in spoken_for):
            watched = seconds_text(worst.first_success_above)
            case.doubts.append(
                f"{each.client} was not back within the {watched} watched, and no objective speaks of it"
            )
