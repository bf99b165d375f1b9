"""The summary's tables: the same facts that the journal and the checkers have, in the shape that reports read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, zip_longest
from typing import TypeVar

from appliance.drills.checkers import SAMPLES, Place, Results
from appliance.drills.scenario import Scenario
from appliance.journal.events import ClusterDescribed, Event, FaultArmed, FaultEnded, SteadyStateChecked
from appliance.report.summary import ClusterFacts, FaultOutcome, Ledger, PartitionIntegrity, SteadyState

Kind = TypeVar("Kind")

NOT_MEASURED = "not measured"
_DAMAGE = ("lost", "duplicated", "reordered", "redelivered", "skipped", "altered", "indeterminate")


def of_kind(events: Sequence[Event], kind: type[Kind]) -> filter[Kind]:
    """Return the events of one kind, in order."""
    return filter(lambda event: isinstance(event, kind), events)  # type: ignore[arg-type]  # filter narrows by kind


def record_counts(results: Results) -> Ledger:
    """Return the counts over all clients and partitions."""
    return Ledger(
        acknowledged=sum(results.acknowledged.values()),
        indeterminate_found=results.indeterminate_found,
        **{kind: results.of(kind).count for kind in _DAMAGE},
    )


def partition_rows(results: Results) -> list[PartitionIntegrity]:
    """Return a row per client and partition with something to tell, sorted."""
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


def steady_state_rows(scenario: Scenario, events: Sequence[Event]) -> list[SteadyState]:
    """Return what the probes measured, in the scenario's order."""
    checks = {(event.name, event.when): event for event in of_kind(events, SteadyStateChecked)}
    rows = []
    for each in scenario.steady_state:
        before, after = checks.get((each.name, "before")), checks.get((each.name, "after"))
        rows.append(
            SteadyState(
                name=each.name,
                target=each.target,
                before=before.measured if before else NOT_MEASURED,
                before_ok=before is not None and before.ok,
                after=after.measured if after else NOT_MEASURED,
                after_ok=after is not None and after.ok,
            )
        )
    return rows


def fault_rows(events: Sequence[Event]) -> list[FaultOutcome]:
    """Return what became of every fault that was armed; one whose end is not on record fired 0 times."""
    ends = {event.fault: event for event in of_kind(events, FaultEnded)}
    rows = []
    for armed in of_kind(events, FaultArmed):
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


def cluster_rows(events: Sequence[Event]) -> list[ClusterFacts]:
    """Return the clusters as they were described last."""
    described = {event.cluster: event for event in of_kind(events, ClusterDescribed)}
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
