"""From the record to the verdict: events and ledger in, summary out; the same record gives the same summary.

The verdict, the first that applies:

    tool-error    the run has no end, ended by an error of ours, or healing failed: the lab is not what it was
    interrupted   someone stopped it
    aborted       a guard, or a step without which the rest has no ground
    fail          an objective is missed, a loss or an alteration is allowed by none, or the steady state did not return
    inconclusive  nothing is proven: the drill did not begin, no traffic, a fault that struck nobody, a log not read
    pass          every objective is kept, and nothing of the above

A proven miss is a fail whatever else is in doubt; the reasons name both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appliance.drills.case import make_case
from appliance.drills.checkers import History, Results, check
from appliance.drills.ledger import RecordLedger
from appliance.drills.objectives import Evidence, judge_objective
from appliance.drills.recovery import recoveries
from appliance.drills.scenario import Scenario
from appliance.drills.tables import (
    cluster_rows,
    fault_rows,
    of_kind,
    partition_rows,
    record_counts,
    steady_state_rows,
)
from appliance.journal.events import Event, FinalRead, RunStarted
from appliance.report.summary import EXIT_CODES, Integrity, Summary


def judge(
    scenario: Scenario, events: Sequence[Event], ledger: RecordLedger, *, surviving: str, integrity: Integrity
) -> Summary:
    """Return the summary of a run.

    `events` is the whole journal, its end included; `surviving` the cluster that served at the end, whose
    log decides. Raises ValueError where the journal has no RunStarted: then it is not a run's.
    """
    started = next(of_kind(events, RunStarted), None)
    if started is None:
        raise ValueError("expected run.started in the journal, found none: this is not the record of a run")
    reads = {
        (event.topic, event.partition): event for event in of_kind(events, FinalRead) if event.cluster == surviving
    }
    readers = readers_of(scenario)
    history = History.of(ledger, surviving, read=reads.keys(), readers=readers, late=_late(scenario, readers))
    results = check(history)
    idle = [each.name for each in scenario.traffic if each.produce and each.produce.idle]
    returns = recoveries(events, ledger, idle=idle)
    evidence = Evidence(
        results=results,
        recoveries=returns,
        traffic=_traffic(scenario, ledger),
        producers=frozenset(each.name for each in scenario.traffic if each.produce),
        readers=readers,
        unknown=_unread(results, history, reads, surviving),
    )
    judgements = [judge_objective(objective, evidence) for objective in scenario.objectives]
    steady, faults = steady_state_rows(scenario, events), fault_rows(events)
    case = make_case(scenario, events, evidence, judgements, steady=steady, faults=faults)

    return Summary(
        scenario=scenario.name,
        title=scenario.title,
        description=scenario.metadata.description,
        started=started.started,
        duration_seconds=max(event.at for event in events),
        verdict=case.verdict,
        exit_code=EXIT_CODES[case.verdict],
        reasons=case.reasons,
        lab=started.lab,
        lab_note=started.lab_note,
        seed=started.seed,
        workers=started.workers,
        security=started.security,
        surviving_cluster=surviving,
        ledger=record_counts(results),
        partitions=partition_rows(results),
        objectives=[each.row for each in judgements],
        faults=faults,
        recovery=[each.as_recovery() for each in returns],
        availability=[each.as_availability() for each in returns],
        steady_state=steady,
        clusters=cluster_rows(events),
        versions=started.versions,
        integrity=integrity,
    )


def readers_of(scenario: Scenario) -> dict[str, str]:
    """Return consumer -> reader (`member-1+member-2`) for groups with several members, which share the records."""
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
