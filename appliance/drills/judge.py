"""From the record to the verdict: events and ledger in, summary out; the same record gives the same summary.

The verdict, the first that applies:

    tool-error    the run has no end, ended by an error of ours, or healing failed: the lab is not what it was
    interrupted   someone stopped it
    aborted       a guard, or a step without which the rest has no ground, stopped it
    fail          an objective is missed, a loss or an alteration is allowed by none, or the steady state did not return
    inconclusive  nothing is proven: the gate did not open, no traffic, a fault that struck nobody, a log not read
    pass          every objective is kept, and nothing of the above

A proven miss is a fail whatever else is in doubt; the reasons name both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import TypeVar

from appliance.drills.checkers import SAMPLES, History, Place, Results, check
from appliance.drills.ledger import RecordLedger
from appliance.drills.objectives import Evidence, counted, judge_objective, places
from appliance.drills.recovery import recoveries
from appliance.drills.scenario import Scenario
from appliance.journal.events import (
    ClientStarted,
    ClusterDescribed,
    Event,
    FaultArmed,
    FaultEnded,
    FinalRead,
    PhaseEnded,
    RunEnded,
    RunStarted,
    SteadyStateChecked,
    StepEnded,
    StepStarted,
)
from appliance.report.summary import (
    EXIT_CODES,
    ClusterFacts,
    FaultOutcome,
    Integrity,
    Ledger,
    PartitionIntegrity,
    SteadyState,
    Summary,
    Verdict,
)

Kind = TypeVar("Kind")

_DAMAGE = ("lost", "duplicated", "reordered", "redelivered", "skipped", "altered", "indeterminate")
_NEVER_TOLERATED = ("lost", "altered")
"""Fails the run unless an objective of the scenario speaks of it: nobody agrees to it by saying nothing."""
_NOT_MEASURED = "not measured"


def judge(
    scenario: Scenario, events: Sequence[Event], ledger: RecordLedger, *, surviving: str, integrity: Integrity
) -> Summary:
    """Return the summary of a run.

    `events` is the whole journal, its end included; `surviving` the cluster that served at the end, whose
    log decides. Raises ValueError where the journal has no RunStarted: then it is not a run's.
    """
    started = next(_of(events, RunStarted), None)
    if started is None:
        raise ValueError("expected run.started in the journal, found none: this is not the record of a run")
    reads = {(event.topic, event.partition): event for event in _of(events, FinalRead) if event.cluster == surviving}
    readers = readers_of(scenario)
    history = History.of(ledger, surviving, read=reads.keys(), readers=readers, late=_late(scenario, readers))
    results = check(history)
    returns = recoveries(
        events, ledger, idle=[each.name for each in scenario.traffic if each.produce and each.produce.idle]
    )
    evidence = Evidence(
        results=results,
        recoveries=returns,
        traffic=_traffic(scenario, ledger),
        producers=frozenset(each.name for each in scenario.traffic if each.produce),
        readers=readers,
        unknown=_unread(results, history, reads, surviving),
    )
    judgements = [judge_objective(objective, evidence) for objective in scenario.objectives]
    steady = _steady_states(scenario, events)
    faults = _faults(events)

    case = _Case()
    _judge_end(case, events)
    case.misses += [each.reason for each in judgements if each.row.verdict == "fail"]
    case.misses += _untolerated(scenario, evidence)
    case.doubts += [each.reason for each in judgements if each.row.verdict == "inconclusive"]
    _judge_steady_state(case, steady)
    _judge_steps(case, scenario, events, faults)
    _judge_traffic(case, events, evidence)
    case.doubts += [each for each in evidence.unknown if not any(each in doubt for doubt in case.doubts)]
    verdict = case.verdict(gate_shut=_gate_shut(steady, events))

    return Summary(
        scenario=scenario.name,
        title=scenario.title,
        description=scenario.metadata.description,
        started=started.started,
        duration_seconds=max(event.at for event in events),
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        reasons=case.reasons,
        lab=started.lab,
        lab_note=started.lab_note,
        seed=started.seed,
        surviving_cluster=surviving,
        ledger=_counts(results),
        partitions=_partitions(results),
        objectives=[each.row for each in judgements],
        faults=faults,
        recovery=[each.as_recovery() for each in returns],
        availability=[each.as_availability() for each in returns],
        steady_state=steady,
        clusters=_clusters(events),
        versions=started.versions,
        integrity=integrity,
    )


def readers_of(scenario: Scenario) -> dict[str, str]:
    """Return consumer -> reader for groups with several members, which share a topic's records:
    `reader-1+reader-2`.
    """
    groups: dict[str, list[str]] = {}
    for client in scenario.traffic:
        if client.consume and client.consume.group:
            groups.setdefault(client.consume.group, []).append(client.name)
    return {name: "+".join(members) for members in groups.values() if len(members) > 1 for name in members}


def _late(scenario: Scenario, readers: Mapping[str, str]) -> set[str]:
    return {
        readers.get(client.name, client.name)
        for client in scenario.traffic
        if client.consume and client.consume.settings.get("auto.offset.reset") in ("latest", "largest", "end")
    }


@dataclass
class _Case:
    """What speaks against a pass, while it is gathered."""

    broken: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Return all of them, most important first, each once."""
        return list(dict.fromkeys([*self.broken, *self.interrupted, *self.aborted, *self.misses, *self.doubts]))

    def verdict(self, *, gate_shut: bool) -> Verdict:
        """Return the first verdict that applies. A gate that stayed shut is no abort: the drill did not
        begin.
        """
        if self.broken:
            return "tool-error"
        if self.interrupted:
            return "interrupted"
        if self.aborted and not gate_shut:
            return "aborted"
        if self.misses:
            return "fail"
        return "inconclusive" if self.doubts or self.aborted else "pass"


def _of(events: Sequence[Event], kind: type[Kind]) -> filter[Kind]:
    return filter(lambda event: isinstance(event, kind), events)  # type: ignore[arg-type]  # filter narrows by kind


def _judge_end(case: _Case, events: Sequence[Event]) -> None:
    ended = next(_of(events, RunEnded), None)
    if ended is None:
        case.broken.append("the record has no end: the run died without one")
    elif ended.outcome == "tool-error":
        case.broken.append(f"the run ended by an error: {ended.detail or 'no detail'}")
    elif ended.outcome == "interrupted":
        case.interrupted.append(f"the run was interrupted{': ' + ended.detail if ended.detail else ''}")
    elif ended.outcome == "aborted":
        case.aborted.append(f"the run was aborted: {ended.detail or 'no detail'}")
    for phase in _of(events, PhaseEnded):
        if phase.ok:
            continue
        said = f": {phase.detail}" if phase.detail else ""
        if phase.phase == "heal":
            case.broken.append(f"healing failed{said}")
        elif phase.phase in ("settle", "final-read"):
            case.doubts.append(f"{phase.phase.replace('-', ' ')} was not complete{said}")


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


def _judge_steady_state(case: _Case, steady: Sequence[SteadyState]) -> None:
    for each in steady:
        if each.before == _NOT_MEASURED:
            case.doubts.append(f"before the drill, {each.name} was not measured")
        elif not each.before_ok:
            case.doubts.append(
                f"before the drill, {each.name}: {each.before}, expected {each.target}: there was no steady state"
            )
        elif each.after == _NOT_MEASURED:
            case.doubts.append(f"after the drill, {each.name} was not measured")
        elif not each.after_ok:
            case.misses.append(f"after the drill, {each.name}: {each.after}, expected {each.target}")


def _gate_shut(steady: Sequence[SteadyState], events: Sequence[Event]) -> bool:
    return any(not each.before_ok for each in steady) and next(_of(events, StepStarted), None) is None


def _judge_steps(case: _Case, scenario: Scenario, events: Sequence[Event], faults: Sequence[FaultOutcome]) -> None:
    ends = {event.step: event for event in _of(events, StepEnded)}
    accounts = {event.fault for event in _of(events, FaultEnded)}
    outcomes = {fault.name: fault for fault in faults}
    for step in scenario.steps:
        end = ends.get(step.id)
        if end is None:
            case.doubts.append(f"step {step.id} was not played to its end")
        elif not end.ok:
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


def _judge_traffic(case: _Case, events: Sequence[Event], evidence: Evidence) -> None:
    begun = {event.client for event in _of(events, ClientStarted)}
    for name, count in evidence.traffic.items():
        if name not in begun:
            case.doubts.append(f"client {name} was never started")
        elif count == 0:
            had = "had no record acknowledged" if name in evidence.producers else "got no record"
            case.doubts.append(f"no traffic: {name} {had}")


def _traffic(scenario: Scenario, ledger: RecordLedger) -> dict[str, int]:
    traffic = {client.name: 0 for client in scenario.traffic}
    for write in ledger.writes:
        if write.outcome == "acknowledged":
            traffic[write.client] = traffic.get(write.client, 0) + 1
    for delivery in ledger.deliveries:
        traffic[delivery.client] = traffic.get(delivery.client, 0) + 1
    return traffic


def _unread(
    results: Results, history: History, reads: Mapping[tuple[str, int], FinalRead], surviving: str
) -> list[str]:
    """Return what the final read of the surviving cluster does not tell, a sentence per partition."""
    acknowledged: dict[tuple[str, int], int] = {}
    for place, count in results.acknowledged.items():
        partition = (place.topic, place.partition)
        acknowledged[partition] = acknowledged.get(partition, 0) + count
    found = [
        f"{topic}/{partition} was not read on {surviving}: {count} acknowledged records can be judged neither way"
        for (topic, partition), count in sorted(acknowledged.items())
        if (topic, partition) not in reads
    ]
    for read in sorted(reads.values(), key=lambda each: (each.topic, each.partition)):
        held = len(history.log.get((read.topic, read.partition), ()))
        if held != read.records:
            where = f"{read.topic}/{read.partition} on {surviving}"
            found.append(f"the ledger has a gap: {where} held {read.records} records, and the ledger has {held}")
    return found


def _counts(results: Results) -> Ledger:
    return Ledger(
        acknowledged=sum(results.acknowledged.values()),
        indeterminate_found=results.indeterminate_found,
        **{kind: results.of(kind).count for kind in _DAMAGE},
    )


def _partitions(results: Results) -> list[PartitionIntegrity]:
    counts: dict[Place, dict[str, int]] = {
        place: {"acknowledged": count} for place, count in results.acknowledged.items()
    }
    samples: dict[Place, list[tuple[str, ...]]] = {}
    for kind in _DAMAGE:
        for row in results.of(kind):
            counts.setdefault(row.place, {})[kind] = row.count
            samples.setdefault(row.place, []).append(row.samples)
    return [
        PartitionIntegrity(
            client=place.client,
            topic=place.topic,
            partition=place.partition,
            samples=_fair(samples.get(place, [])),
            **counts[place],
        )
        for place in sorted(counts)
    ]


def _fair(samples: Sequence[Sequence[str]]) -> list[str]:
    """Return samples of every kind in turn, so that many of one do not hide another."""
    turns = chain.from_iterable(zip_longest(*samples))
    return list(islice((each for each in turns if each is not None), SAMPLES))


def _steady_states(scenario: Scenario, events: Sequence[Event]) -> list[SteadyState]:
    checks = {(event.name, event.when): event for event in _of(events, SteadyStateChecked)}
    rows = []
    for each in scenario.steady_state:
        before, after = checks.get((each.name, "before")), checks.get((each.name, "after"))
        rows.append(
            SteadyState(
                name=each.name,
                target=each.target,
                before=before.measured if before else _NOT_MEASURED,
                before_ok=before is not None and before.ok,
                after=after.measured if after else _NOT_MEASURED,
                after_ok=after is not None and after.ok,
            )
        )
    return rows


def _faults(events: Sequence[Event]) -> list[FaultOutcome]:
    ends = {event.fault: event for event in _of(events, FaultEnded)}
    rows = []
    for armed in _of(events, FaultArmed):
        end = ends.get(armed.fault)
        rows.append(
            FaultOutcome(
                name=armed.fault,
                type=armed.type,
                description=armed.description,
                matched=end.matched if end else 0,
                fired=end.fired if end else 0,
                skipped=end.skipped if end else {},
                clients=end.clients if end else [],
            )
        )
    return rows


def _clusters(events: Sequence[Event]) -> list[ClusterFacts]:
    described = {event.cluster: event for event in _of(events, ClusterDescribed)}
    return [
        ClusterFacts(
            name=event.cluster,
            role=event.role,
            cluster_id=event.cluster_id,
            version=event.version,
            brokers=event.brokers,
        )
        for event in described.values()
    ]
