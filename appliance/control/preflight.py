"""May this switchover take place? Asks the clusters, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from appliance.control.datapath import ClusterView
from appliance.control.replication import Ends, Gauge, lagging, replicated, total
from appliance.control.switchover import Plan, Switchover
from appliance.gateway.errors import ClusterUnreachable

SECONDS = 15.0
"""How long a cluster may take to answer all that preflight asks."""
IMPATIENT_CLIENT = 30.0
"""Java's default request.timeout.ms, the shortest of the common clients': writes held longer are sent
again."""


@dataclass(frozen=True)
class Findings:
    """What preflight hands on: the plan, and the topics whose lag the drain measures."""

    plan: Plan
    topics: dict[str, tuple[int, ...]]


async def preflight(
    switchover: Switchover,
    source: ClusterView | None,
    target: ClusterView,
    gauge: Gauge | None,
    connections: int,
) -> Findings:
    """Return what was found; problems are in the plan, not raised. `source` None: it is not asked
    (unplanned)."""
    problems: list[str] = []
    notes: list[str] = []
    topics: dict[str, tuple[int, ...]] = {}
    lag: int | None = None
    try:
        with trio.fail_after(SECONDS):
            there = await _topics_of(target)
            notes += await _leaderless_notes(target, switchover.target)
    except (ClusterUnreachable, trio.TooSlowError) as error:
        problems.append(_unreachable(switchover.target, error))
    else:
        topics = there
        if source is not None:
            try:
                with trio.fail_after(SECONDS):
                    topics = await _topics_of(source)
                    problems += _missing(topics, there, switchover)
                    if gauge is not None and not problems:
                        ends = await Ends.of(source, topics)
                        switchover.lag = lagging(await gauge.measure(ends, source, target, topics))
                        lag = total(switchover.lag)
            except (ClusterUnreachable, trio.TooSlowError) as error:
                problems.append(_unreachable(switchover.source, error))
    notes += _notes(switchover, gauge)
    partitions = sum(map(len, topics.values()))
    plan = Plan(
        switchover.source,
        switchover.target,
        len(topics),
        partitions,
        connections,
        lag,
        tuple(problems),
        tuple(notes),
    )
    return Findings(plan, topics)


async def _topics_of(cluster: ClusterView) -> dict[str, tuple[int, ...]]:
    return replicated(await cluster.topics())


async def _leaderless_notes(target: ClusterView, name: str) -> list[str]:
    leaderless = await target.leaderless()
    if not leaderless:
        return []
    shown = ", ".join(f"{topic}/{partition}" for topic, partition in list(leaderless)[:5])
    return [f"{len(leaderless)} partitions of {name} have no leader now: {shown}"]


def _missing(
    source: dict[str, tuple[int, ...]], target: dict[str, tuple[int, ...]], switchover: Switchover
) -> list[str]:
    problems = []
    for topic, partitions in sorted(source.items()):
        if topic not in target:
            problems.append(f"topic {topic} of {switchover.source} is absent on {switchover.target}")
        elif len(target[topic]) < len(partitions):
            problems.append(
                f"topic {topic} has {len(partitions)} partitions on {switchover.source}, "
                f"{len(target[topic])} on {switchover.target}"
            )
    return problems


def _notes(switchover: Switchover, gauge: Gauge | None) -> list[str]:
    notes = []
    if switchover.mode == "planned" and gauge is None:
        notes.append(f"replication is not measured: records that are only on {switchover.source} stay there")
    if switchover.mode == "planned" and switchover.hold >= IMPATIENT_CLIENT:
        notes.append(
            f"hold {switchover.hold:g}s reaches the {IMPATIENT_CLIENT:g}s after which Java clients "
            "send a held write again"
        )
    if switchover.mode == "unplanned":
        notes.append(f"records that {switchover.target} does not have yet are lost for its readers; nothing is drained")
    return notes


def _unreachable(cluster: str, error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return f"cluster {cluster} does not answer within {SECONDS:g}s"
    return str(error)
