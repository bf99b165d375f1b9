"""The steps of a switchover, in order, with the way back while there is one."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

import trio

from appliance.control.datapath import ClusterView, DataPath
from appliance.control.positions import PositionTaking
from appliance.control.preflight import Findings, preflight
from appliance.control.replication import Ends, Gauge, in_words, lagging, total
from appliance.control.switchover import Switchover
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.positions.offset_maps import PositionMaps

WRITES_EVERY = 0.01
LAG_EVERY = 0.1
VERIFY_SECONDS = 30.0
MOVE_SECONDS = 60.0

log = logging.getLogger("tidegate.control")


class Signals(Protocol):
    """What the conductor sets: the fence, and which cluster serves."""

    def fence(self, virtual_cluster: str, *, closed: bool) -> int:
        """Publish an edition with the fence closed or open; return its version."""

    async def switch(self, virtual_cluster: str, cluster: str, *, maps: PositionMaps, fence: bool) -> int:
        """Persist who serves and how its offsets look, then publish the one edition that makes it so; return its
        version. Raises StateError before any change."""


class NotDrainedError(Exception):
    """The hold ran out before the target had everything."""


class Conductor:
    """Carries out one switchover. `run` never raises for what the clusters do: the record says how it
    ended."""

    def __init__(
        self,
        switchover: Switchover,
        source: Target,
        target: Target,
        *,
        signals: Signals,
        data_path: DataPath,
        gauge: Gauge | None,
        positions: PositionTaking,
    ) -> None:
        self._positions = positions
        self._switchover = switchover
        self._source = source
        self._target = target
        self._signals = signals
        self._data_path = data_path
        self._gauge = gauge

    async def run(self) -> None:
        """Carry it out, to one of the final states."""
        switchover = self._switchover
        try:
            version = await self._up_to_the_switch()
        except Exception as error:
            if not isinstance(error, NotDrainedError | ClusterUnreachable):
                log.exception("switchover of %s", switchover.virtual_cluster)
            self._signals.fence(switchover.virtual_cluster, closed=False)
            switchover.enter("rolled-back", f"{_reason(error)}; {switchover.source} serves as before")
        else:
            if version is not None:
                await self._after_the_switch(version)
        way = f"{switchover.virtual_cluster} from {switchover.source} to {switchover.target}"
        log.info("switchover of %s: %s, %s", way, switchover.state, switchover.detail)

    async def _up_to_the_switch(self) -> int | None:
        """Return the version of the edition that switches; None where nothing is to be switched."""
        switchover = self._switchover
        planned = switchover.mode == "planned"
        async with AsyncExitStack() as clients:
            target = await clients.enter_async_context(self._data_path.cluster_client(self._target))
            source = None
            if planned:
                source = await clients.enter_async_context(self._data_path.cluster_client(self._source))
            findings = await preflight(switchover, source, target, self._gauge, self._connections())
            switchover.plan = plan = findings.plan
            if plan.problems:
                switchover.enter("rolled-back", f"preflight: {'; '.join(plan.problems)}; nothing was changed")
                return None
            switchover.say(f"{plan.topics} topics, {plan.partitions} partitions, {plan.connections} connections")
            if planned or switchover.dry_run:  # otherwise nobody has the time to read it
                notes = await self._positions.remarks(source, target)
                switchover.plan = replace(plan, notes=(*plan.notes, *notes))
            if switchover.dry_run:
                switchover.enter("done", "dry run: nothing was changed")
                return None
            if source is not None:
                await self._fence_and_drain(findings, source, target)
            maps = await self._positions.take(source, target)
        switchover.enter("switch")
        version = await self._signals.switch(switchover.virtual_cluster, switchover.target, maps=maps, fence=True)
        switchover.say(f"{switchover.target} serves {switchover.virtual_cluster}")
        return version

    async def _fence_and_drain(self, findings: Findings, source: ClusterView, target: ClusterView) -> None:
        switchover = self._switchover
        switchover.enter("fence", "writes are held")
        version = self._signals.fence(switchover.virtual_cluster, closed=True)
        with trio.move_on_after(switchover.hold) as hold:
            # Only then can a count of writes under way say that no more will come.
            await self._data_path.in_effect(version)
            switchover.enter("drain")
            await self._drain(findings, source, target)
        if hold.cancelled_caught:
            if switchover.state == "fence":
                raise NotDrainedError(f"not every worker held the writes within {switchover.hold:g}s")
            writes = self._data_path.writes_in_flight(switchover.virtual_cluster)
            missing = in_words(switchover.lag) if self._gauge is not None else ""
            raise NotDrainedError(
                f"not drained within {switchover.hold:g}s: "
                + (f"{writes} writes without an answer" if writes else missing or "replication could not be measured")
            )

    async def _drain(self, findings: Findings, source: ClusterView, target: ClusterView) -> None:
        switchover = self._switchover
        started = trio.current_time()
        await self._data_path.refresh()
        while writes := self._data_path.writes_in_flight(switchover.virtual_cluster):
            switchover.say(f"{writes} writes without an answer")
            await trio.sleep(WRITES_EVERY)
            await self._data_path.refresh()
        answered = trio.current_time() - started
        if self._gauge is None:
            switchover.say(f"all writes answered after {answered:.2f}s; replication not measured")
            return
        ends = await Ends.of(source, findings.topics)
        while True:
            switchover.lag = lagging(await self._gauge.measure(ends, source, target, findings.topics))
            if not switchover.lag:
                break
            switchover.say(f"{total(switchover.lag)} records to replicate: {in_words(switchover.lag)}")
            await trio.sleep(LAG_EVERY)
        caught_up = trio.current_time() - started
        switchover.say(
            f"all writes answered after {answered:.2f}s, "
            f"{findings.plan.partitions} partitions caught up after {caught_up:.2f}s"
        )

    async def _after_the_switch(self, version: int) -> None:
        """Move, unfence, verify: nothing in here may leave the fence closed."""
        switchover = self._switchover
        trouble: list[str] = []
        switchover.enter("move")
        try:
            with trio.fail_after(MOVE_SECONDS):
                await self._data_path.in_effect(version)
                moved = await self._data_path.move_clients(switchover.virtual_cluster)
            switchover.say(f"{moved} connections closed")
        except Exception as error:  # noqa: BLE001 - whatever it was, the fence must come down
            trouble.append(f"clients were not all moved ({_reason(error)}): restart those on the old cluster")
            switchover.say(trouble[-1])
        switchover.enter("unfence", "writes flow")
        self._signals.fence(switchover.virtual_cluster, closed=False)
        switchover.enter("verify")
        try:
            with trio.fail_after(VERIFY_SECONDS):
                switchover.say(await self._verify())
        except Exception as error:  # noqa: BLE001 - the record tells it
            trouble.append(
                f"{switchover.target} could not be verified ({_reason(error)}): mend it, or switch back with "
                f"`tidegate switchover {switchover.virtual_cluster} --to {switchover.source} --unplanned`"
            )
        if trouble:
            switchover.enter("failed", f"{switchover.target} serves; " + "; ".join(trouble))
        else:
            switchover.enter("done", f"{switchover.target} serves {switchover.virtual_cluster}")

    async def _verify(self) -> str:
        async with self._data_path.cluster_client(self._target) as client:
            facts = await client.describe()
            while leaderless := await client.leaderless():
                self._switchover.say(f"{len(leaderless)} partitions have no leader yet")
                await trio.sleep(LAG_EVERY)
        return f"cluster {facts.cluster_id}: {len(facts.brokers)} brokers, every partition has a leader"

    def _connections(self) -> int:
        counts = self._data_path.facts().connections
        return sum(count for (name, _, _), count in counts.items() if name == self._switchover.virtual_cluster)


def _reason(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "it took too long"
    return str(error) or type(error).__name__
