"""Carries out FailoverPolicies: tries clusters, decides, alerts or switches, and can say what it thinks and why.

One `Watch` per policy, as long as the policy is declared as it is; a changed policy begins anew and knows nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import trio

from appliance.control.canary import try_cluster
from appliance.control.catalogue import Catalogue
from appliance.control.catching_up import CatchingUp
from appliance.control.datapath import DataPath
from appliance.control.errors import ControlError
from appliance.control.failover import Decision, Situation, Successor, decide, exposure
from appliance.control.health import Health, Try
from appliance.control.references import canary_topics, members
from appliance.control.replication import gauge_for
from appliance.control.snapshots import target_of
from appliance.control.switchover import Clocks, Switchover
from appliance.policies.positions.way_back import WayBack
from appliance.resources.failover_policy import FailoverPolicy

LAG_EVERY = 5.0
"""Between two looks at the lag; a successor counts as no less behind than this anyway."""
EVENTS = 100

log = logging.getLogger("tidegate.failover")


class Surroundings(Protocol):
    """What a policy sees of the control plane, and what it may do."""

    catalogue: Catalogue

    def serving(self, virtual_cluster: str) -> str:
        """Return the cluster that serves a virtual cluster."""

    def outage_of(self, cluster: str) -> str | None:
        """Return the fault that makes a cluster unreachable now; canaries feel it as clients do."""

    def way_back(self, source: str, target: str) -> WayBack | None:
        """Return where logs ended when all that `source` serves was switched to it from `target`; None: not known."""

    def all_switchovers(self) -> Iterable[Switchover]:
        """Return the switchovers that are known."""

    def start_switchover_of(self, virtual_clusters: list[str], to: str, **asked: object) -> Switchover:
        """Start a switchover. Raises ControlError."""


@dataclass(frozen=True)
class PolicyEvent:
    """Something that a policy saw or did."""

    at: str
    text: str


class Watch:
    """One policy at work."""

    def __init__(self, policy: FailoverPolicy, around: Surroundings, data_path: DataPath, clocks: Clocks) -> None:
        self.policy = policy
        self.health = {name: Health() for name in (policy.spec.cluster, *policy.spec.to)}
        self.decision = Decision("none", f"{policy.spec.cluster} is unknown")
        self.events: deque[PolicyEvent] = deque(maxlen=EVENTS)
        self._around = around
        self._data_path = data_path
        self._clocks = clocks
        self._was_healthy = False
        self._catching_up: dict[str, CatchingUp] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            for cluster in self.health:
                nursery.start_soon(self._try_again_and_again, cluster)
            for cluster in self.policy.spec.to:
                nursery.start_soon(self._measure_again_and_again, cluster)

    def exposure(self, cluster: str) -> float | None:
        """Return how many seconds of writes a successor may lack if the watched cluster failed now, or since it
        failed; None where that was never measured."""
        watched = self.health[self.policy.spec.cluster]
        caught_up = self._caught_up_at(cluster)
        if watched.failing_since is None:
            return None if caught_up is None else max(0.0, trio.current_time() - caught_up)
        return exposure(watched, Successor(cluster, self.health[cluster], caught_up))

    def lacks(self, cluster: str) -> str:
        """Return what a successor lacked at the last look; empty: nothing."""
        found = self._catching_up.get(cluster)
        return found.missing if found else "replication is none: not measured"

    async def _try_again_and_again(self, cluster: str) -> None:
        canary, ordinal = self.policy.spec.canary, 0
        while True:
            began = trio.current_time()
            declared = self._around.catalogue.clusters.get(cluster)
            outage = self._around.outage_of(cluster)
            if declared is None:
                result = Try(began, f"there is no Cluster {cluster}")
            elif outage is not None:
                result = Try(began, f"fault {outage} makes it unreachable")
            else:
                result = await try_cluster(self._data_path, target_of(declared), canary, ordinal)
            ordinal += 1
            self._learn(cluster, result)
            await trio.sleep_until(began + canary.every)

    async def _measure_again_and_again(self, cluster: str) -> None:
        spec = self.policy.spec
        while True:
            catching_up = self._gauged(cluster)
            watched = self.health[spec.cluster]
            if catching_up is not None and not watched.failure and self._around.outage_of(spec.cluster) is None:
                await catching_up.measure()
            await trio.sleep(LAG_EVERY)

    def _gauged(self, cluster: str) -> CatchingUp | None:
        """Return what measures a successor; None where there is no replication to measure."""
        source, catalogue = self.policy.spec.cluster, self._around.catalogue
        clusters = catalogue.clusters
        ways = {
            each.spec.replication_between(source, cluster)
            for each in catalogue.virtual_clusters.values()
            if {source, cluster} <= set(members(each))
        }
        way_back = self._around.way_back(source, cluster)
        gauge = gauge_for(ways.pop(), cluster, way_back) if len(ways) == 1 else None
        if gauge is None or not {source, cluster} <= clusters.keys():
            self._catching_up.pop(cluster, None)
            return None
        found, ends = self._catching_up.get(cluster), (target_of(clusters[source]), target_of(clusters[cluster]))
        without = canary_topics(catalogue)
        if found is None or (found.source, found.target, found.without) != (*ends, without):
            found = self._catching_up[cluster] = CatchingUp(self._data_path, *ends, gauge, without, way_back)
        elif found.way_back != way_back:
            found.gauge, found.way_back = gauge, way_back
        return found

    def _caught_up_at(self, cluster: str) -> float | None:
        found = self._catching_up.get(cluster)
        return found.at if found else None

    def _learn(self, cluster: str, result: Try) -> None:
        spec = self.policy.spec
        before = self.health[cluster].standing
        health = self.health[cluster].with_try(result, unhealthy=spec.unhealthy, healthy=spec.healthy)
        self.health[cluster] = health
        if health.standing != before:
            self._tell(f"{cluster} is {health.standing}" + (f": {result.failure}" if result.failure else ""))
        if cluster == spec.cluster and health.standing == "healthy":
            self._was_healthy = True
        self._decide()

    def _decide(self) -> None:
        spec, name = self.policy.spec, self.policy.name
        decision = decide(name, spec, self._situation())
        if (decision.action, decision.to) != (self.decision.action, self.decision.to):
            self._tell(f"{decision.action}: {decision.why}")
        self.decision = decision
        if decision.action != "switch":
            return
        assert decision.to is not None
        served = self._served(decision.to)
        try:
            switchover = self._around.start_switchover_of(
                served, decision.to, mode="unplanned", asked_by=f"FailoverPolicy {name}"
            )
        except ControlError as error:
            self._tell(f"{', '.join(served)} could not be switched to {decision.to}: {error}")
        else:
            self._tell(f"switchover {switchover.id} of {switchover.in_words} started")

    def _situation(self) -> Situation:
        spec = self.policy.spec
        served = tuple(sorted({name for cluster in spec.to for name in self._served(cluster)}))
        concerned = [
            each
            for each in self._around.all_switchovers()
            if set(each.virtual_clusters) & set(served) and not each.dry_run and each.source != each.target
        ]
        overs = [each.history[-1].at for each in concerned if each.over]
        return Situation(
            now=trio.current_time(),
            watched=self.health[spec.cluster],
            was_healthy=self._was_healthy,
            successors=tuple(
                Successor(name, self.health[name], self._caught_up_at(name)) for name in spec.to if self._served(name)
            ),
            served=served,
            switching=any(not each.over for each in concerned),
            last_switchover=self._on_our_clock(max(overs)) if overs else None,
        )

    def _served(self, successor: str) -> list[str]:
        """Return the virtual clusters that the watched cluster serves and this one may."""
        return [
            name
            for name, each in self._around.catalogue.virtual_clusters.items()
            if self._around.serving(name) == self.policy.spec.cluster and successor in members(each)
        ]

    def _on_our_clock(self, at: str) -> float:
        """Return an instant of the wall clock on trio's: switchovers are remembered over a restart."""
        ago: timedelta = self._clocks.wall() - datetime.fromisoformat(at)
        return trio.current_time() - ago.total_seconds()

    def _tell(self, text: str) -> None:
        self.events.append(PolicyEvent(self._clocks.wall().isoformat(timespec="milliseconds"), text))
        log.warning("policy %s: %s", self.policy.name, text)


class FailoverWatches:
    """All policies at work."""

    def __init__(self, around: Surroundings, data_path: DataPath, clocks: Clocks) -> None:
        self._make: Callable[[FailoverPolicy], Watch] = lambda policy: Watch(policy, around, data_path, clocks)
        self._around = around
        self._at_work: dict[str, tuple[Watch, trio.CancelScope]] = {}

    def watch(self, name: str) -> Watch | None:
        """Return a policy at work."""
        found = self._at_work.get(name)
        return found[0] if found else None

    def all(self) -> list[Watch]:
        """Return all policies at work, by name."""
        return [self._at_work[name][0] for name in sorted(self._at_work)]

    def adopt(self, nursery: trio.Nursery) -> None:
        """Let those work that are declared now, as they are declared now."""
        declared = self._around.catalogue.failover_policies
        for name, (watch, scope) in list(self._at_work.items()):
            if declared.get(name) != watch.policy:
                scope.cancel()
                del self._at_work[name]
        for name, policy in declared.items():
            if name not in self._at_work:
                watch, scope = self._make(policy), trio.CancelScope()
                self._at_work[name] = (watch, scope)
                nursery.start_soon(_within, scope, watch)


async def _within(scope: trio.CancelScope, watch: Watch) -> None:
    with scope:
        await watch.run()
