"""May this switchover take place, and what would move? Asks the clusters, changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from appliance.control.datapath import ClusterView, Partition
from appliance.control.drift import CONFIGS, Inventory, Topics, drift
from appliance.control.plan import Finding, Plan, PlannedGroup, PlannedPart, PlannedTransaction
from appliance.control.replication import Ends, Gauge, lagging, replicated, total
from appliance.control.switchover import Switchover
from appliance.gateway.client import Commit, Group
from appliance.gateway.errors import ClusterUnreachable

SECONDS = 15.0
"""How long a cluster may take to answer all that preflight asks."""
DELIVERY = 120.0
"""delivery.timeout.ms of Java and kafka-python, message.timeout.ms of most librdkafka bindings is longer."""
_GROUPS_SHOWN = 200


@dataclass(frozen=True)
class Findings:
    """What preflight hands on: the plan, the topics whose lag the drain measures, and what can be asked."""

    plan: Plan
    topics: dict[str, tuple[int, ...]]
    transactions_known: bool = False
    groups_known: bool = False
    """Groups and what they have committed could be asked for on both sides."""


@dataclass(frozen=True)
class Patience:
    """How long writes will be held, and how long the least patient client waits for the answer to one; in seconds."""

    hold: float
    shortest: float


@dataclass(frozen=True)
class _Source:
    """What was found on the cluster that serves."""

    topics: dict[str, tuple[int, ...]]
    groups: tuple[PlannedGroup, ...]
    transactions: tuple[PlannedTransaction, ...] | None
    lag: int | None
    groups_known: bool


async def preflight(
    switchover: Switchover,
    source: ClusterView | None,
    target: ClusterView,
    gauge: Gauge | None,
    parts: Sequence[PlannedPart],
    patience: Patience,
    without: frozenset[str] = frozenset(),
) -> Findings:
    """Return what was found; problems are in the plan, not raised. `source` None: it is not asked
    (unplanned)."""
    findings: list[Finding] = []
    there: dict[str, tuple[int, ...]] = {}
    found: _Source | None = None
    try:
        with trio.fail_after(SECONDS):
            there = replicated(await target.topics(), without)
            findings += await _leaderless(target, switchover.target)
    except (ClusterUnreachable, trio.TooSlowError) as error:
        findings.append(_unreachable(switchover.target, error))
    else:
        if source is not None:
            try:
                with trio.fail_after(SECONDS):
                    found = await _compare(switchover, source, target, gauge, there, findings, without)
            except (ClusterUnreachable, trio.TooSlowError) as error:
                findings.append(_unreachable(switchover.source, error))
    findings += _about_the_order(switchover, gauge, patience)
    topics = there if found is None else found.topics
    transactions = found.transactions if found else None
    plan = Plan(
        switchover.source,
        switchover.target,
        len(topics),
        sum(map(len, topics.values())),
        sum(each.connections for each in parts),
        found.lag if found else None,
        tuple(findings),
        tuple(parts),
        found.groups[:_GROUPS_SHOWN] if found else (),
        transactions or (),
        patience.hold if switchover.mode == "planned" else None,
    )
    return Findings(plan, topics, transactions is not None, found is not None and found.groups_known)


async def _compare(
    switchover: Switchover,
    source: ClusterView,
    target: ClusterView,
    gauge: Gauge | None,
    there: Topics,
    findings: list[Finding],
    without: frozenset[str],
) -> _Source:
    """Return what is on the source; what the target lacks goes to the findings."""
    everything = await source.topics()
    here = replicated(everything, without)
    unasked: dict[str, str] = {}
    groups = await _asked(unasked, "groups", source.groups) or []
    committed = await _asked(unasked, "group offsets", lambda: source.committed([each.name for each in groups])) or {}
    transactions = await _asked(unasked, "transactions", source.open_transactions)
    ends = await Ends.of(source, here)
    mine = await _inventory(switchover.source, source, here, committed, unasked)
    theirs_unasked: dict[str, str] = {}
    theirs = await _asked(theirs_unasked, "group offsets", lambda: target.committed(list(committed))) or {}
    both = {name: here[name] for name in here if name in there}
    other = await _inventory(switchover.target, target, both, theirs, theirs_unasked, topics=there)
    findings += drift(mine, other)
    findings += _transactions(transactions, switchover)
    missing = gauge.missing(everything) if gauge is not None else None
    if missing is not None and any(ends.end[each] > ends.start[each] for each in ends.end):
        findings.append(_no_replication(switchover, missing))
    lag: int | None = None
    if gauge is not None and not any(each.severity == "blocks" for each in findings):
        switchover.lag = lagging(await gauge.measure(ends, source, target, here))
        lag = total(switchover.lag)
    planned = None
    if transactions is not None:
        planned = tuple(
            PlannedTransaction(
                each.transactional_id,
                each.state,
                each.started.isoformat(timespec="milliseconds") if each.started else None,
                each.partitions,
            )
            for each in transactions
        )
    groups_known = not {"groups", "group offsets"} & {*unasked, *theirs_unasked}
    return _Source(here, _planned_groups(groups, committed, ends), planned, lag, groups_known)


async def _inventory(
    name: str,
    cluster: ClusterView,
    asked: Topics,
    committed: dict[str, Any],
    unasked: dict[str, str],
    *,
    topics: Topics | None = None,
) -> Inventory:
    configs = await _asked(unasked, "topic settings", lambda: cluster.topic_configs(list(asked), list(CONFIGS)))
    before = len(unasked)
    acls = await _asked(unasked, "ACLs", cluster.acls)
    secured = None if len(unasked) > before else acls is not None
    versions = await _asked(unasked, "API versions", cluster.api_versions)
    counts = {group: len(offsets) for group, offsets in committed.items() if offsets}
    return Inventory(name, topics or asked, configs, acls, secured, versions, counts, unasked)


async def _asked(unasked: dict[str, str], what: str, question: Callable[[], Awaitable[Any]]) -> Any:
    """Ask something that the switchover can do without; None, and a note, where there is no answer."""
    try:
        return await question()
    except ClusterUnreachable as error:
        unasked[what] = str(error)
        return None


def _planned_groups(
    groups: Sequence[Group], committed: dict[str, dict[Partition, Commit]], ends: Ends
) -> tuple[PlannedGroup, ...]:
    planned = []
    for group in groups:
        offsets = {each: its.offset for each, its in committed.get(group.name, {}).items() if each in ends.end}
        lag = sum(max(0, ends.end[each] - at) for each, at in offsets.items())
        planned.append(PlannedGroup(group.name, group.type, group.state, group.clients, len(offsets), lag))
    return tuple(sorted(planned, key=lambda each: (-len(each.clients), each.name)))


async def _leaderless(target: ClusterView, name: str) -> list[Finding]:
    leaderless = await target.leaderless()
    if not leaderless:
        return []
    shown = ", ".join(f"{topic}/{partition}" for topic, partition in list(leaderless)[:5])
    return [
        Finding(
            "warns", f"cluster {name}", "a leader for every partition", f"{len(leaderless)} without one: {shown}",
            "clients wait for those that they use",
        )
    ]  # fmt: skip


def _transactions(transactions: Sequence[Any] | None, switchover: Switchover) -> list[Finding]:
    if not transactions:
        return []
    ids = ", ".join(each.transactional_id for each in transactions[:5])
    more = f" and {len(transactions) - 5} more" if len(transactions) > 5 else ""
    order = switchover.order
    fate = "left open, and lost for producers that move" if order.leave_transactions else "aborted, whoever's they are"
    return [
        Finding(
            "warns",
            f"cluster {switchover.source}",
            "no transaction under way",
            f"{len(transactions)}: {ids}{more}",
            f"those that do not end within {order.finish_transactions:g}s are {fate}; what they wrote is replicated "
            "though it was never committed, unless the replication reads committed records only",
        )
    ]


def _no_replication(switchover: Switchover, topic: str) -> Finding:
    return Finding(
        "blocks",
        f"replication from {switchover.source} to {switchover.target}",
        f"MirrorMaker's offset syncs in {topic} on {switchover.source}",
        "no such topic",
        f"replicate {switchover.source} to {switchover.target} first, or say --leave-records-behind",
    )


def _about_the_order(switchover: Switchover, gauge: Gauge | None, patience: Patience) -> list[Finding]:
    subject, hold, longest = "the order", patience.hold, patience.hold + switchover.order.refuse
    found = []
    if switchover.mode == "unplanned":
        found.append(
            Finding(
                "warns", subject, "a drained source", "unplanned: nothing is drained",
                f"records that {switchover.target} does not have yet are lost for its readers",
            )
        )  # fmt: skip
        return found
    if gauge is None:
        found.append(
            Finding(
                "warns", subject, "replication that can be measured", "none",
                f"records that are only on {switchover.source} stay there",
            )
        )  # fmt: skip
    if hold >= patience.shortest:
        found.append(
            Finding(
                "warns", subject, f"a hold below the {patience.shortest:g}s after which the least patient client sends "
                "a held write again", f"{hold:.3g}s", "hold for less, or let it wait longer (request.timeout.ms)",
            )
        )  # fmt: skip
    if longest >= DELIVERY:
        found.append(
            Finding(
                "warns", subject, f"an end of hold and refusal before the {DELIVERY:g}s after which clients give a "
                "record up", f"{longest:.3g}s", "hold or refuse for less",
            )
        )  # fmt: skip
    return found


def _unreachable(cluster: str, error: Exception) -> Finding:
    found = f"no answer within {SECONDS:g}s" if isinstance(error, trio.TooSlowError) else str(error)
    return Finding(
        "blocks", f"cluster {cluster}", "an answer to all that preflight asks", found, "bring it back, or wait for it"
    )
