"""From what many workers report to one picture. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

from appliance.control.armoury import FaultCounts
from appliance.fleet.messages import Report
from appliance.gateway.clientele import joined
from appliance.gateway.server import GatewayFacts


def merged_facts(reports: Sequence[Report]) -> GatewayFacts:
    """Return the facts of all together: the lowest version, all connections, the doors that are open everywhere."""
    connections: Counter[tuple[str, str, int | None]] = Counter()
    clusters: dict[str, tuple[str | None, dict[int, tuple[str, int]]]] = {}
    failures: dict[str, str] = {}
    for report in reports:
        connections += report.facts.counted()
        failures |= report.facts.failures
        for name, known in report.facts.clusters.items():
            cluster_id, nodes = clusters.get(name, (None, {}))
            clusters[name] = known.cluster_id or cluster_id, nodes | known.nodes
    return GatewayFacts(
        snapshot_version=min((each.edition for each in reports), default=0),
        connections=connections,
        clusters=clusters,
        failures=failures,
        doors=tuple(sorted(set.intersection(*(set(each.facts.doors) for each in reports)))) if reports else (),
        clients=joined(each.facts.clientele() for each in reports),
    )


def merged_counts(counts: Iterable[FaultCounts]) -> FaultCounts:
    """Return what a fault has counted everywhere together."""
    return reduce(_sum, counts, FaultCounts())


def _sum(one: FaultCounts, other: FaultCounts) -> FaultCounts:
    return FaultCounts(
        one.matched + other.matched,
        one.fired + other.fired,
        dict(Counter(one.skipped) + Counter(other.skipped)),
        one.clients | other.clients,
    )
