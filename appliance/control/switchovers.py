"""All switchovers of one gateway: which may begin, which are under way, which have been, and what becomes of those
that a dead gateway left."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import trio

from appliance.control.catalogue import Catalogue
from appliance.control.conductor import Conductor
from appliance.control.datapath import DataPath
from appliance.control.errors import ConflictError, StateError, UnfitError, UnknownError
from appliance.control.positions import PositionTaking
from appliance.control.references import canary_topics, members
from appliance.control.replication import Gauge, gauge_for
from appliance.control.snapshots import target_of
from appliance.control.statedir import SWITCHOVERS_KEPT, Kept
from appliance.control.switchover import AT_RESTART, Clocks, KeptSwitchover, Order, Switchover
from appliance.policies.connect.fence import OPEN, Fence
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.policies.positions.way_back import WayBack
from appliance.resources.virtual_cluster import VirtualCluster

log = logging.getLogger("tidegate.control")


class Holder(Protocol):
    """What the control plane is to the switchovers."""

    catalogue: Catalogue

    def serving(self, virtual_cluster: str) -> str:
        """Return the cluster that serves a virtual cluster now. Raises UnknownError."""

    def position_taking(self, virtual_cluster: str, source: str, target: str) -> PositionTaking:
        """Return what takes the positions of a virtual cluster along."""

    def way_back(self, source: str, target: str) -> WayBack | None:
        """Return where logs ended when all that `source` serves was switched to it from `target`; None: not known."""

    def set_fences(self, virtual_clusters: Iterable[str], fence: Fence) -> int:
        """Publish an edition with this fence; return its version."""

    async def commit(self, change: Callable[[Kept], Kept], *, then: Callable[[], int] | None = None) -> int:
        """Make a change of what is kept, one after the other: on the disk, then in memory, then `then`; return the
        version of the newest edition. Raises StateError before any change."""


class Switchovers:
    """Starts, follows and remembers switchovers; the Signals of their conductors."""

    def __init__(self, holder: Holder, data_path: DataPath, clocks: Clocks, kept: Iterable[KeptSwitchover]) -> None:
        self._holder = holder
        self._data_path = data_path
        self._clocks = clocks
        self._all = [Switchover.revive(each, clocks) for each in kept]
        self._serial = max((each.serial for each in self._all), default=0)
        self._conductors: dict[int, Conductor] = {}
        self._found_open = [each for each in self._all if not each.over]
        for each in self._found_open:
            self._take_up(each)

    # -- looking

    def all(self) -> Sequence[Switchover]:
        """Return the switchover under way and the last ones, the newest last."""
        return tuple(self._all)

    def get(self, name: str) -> Switchover:
        """Return a switchover by its id. Raises UnknownError."""
        for each in self._all:
            if each.id == name:
                return each
        raise UnknownError(f"there is no switchover {name}; `tidegate switchover history` lists the last ones")

    def latest(self, virtual_cluster: str) -> Switchover | None:
        """Return the latest switchover of a virtual cluster."""
        return next((each for each in reversed(self._all) if virtual_cluster in each.virtual_clusters), None)

    def under_way(self, virtual_cluster: str) -> Switchover | None:
        """Return the switchover that a virtual cluster is in."""
        return next((each for each in self._all if not each.over and virtual_cluster in each.virtual_clusters), None)

    def refuse_while_switching(self, virtual_cluster: str) -> None:
        """Raise ConflictError while a virtual cluster is being switched."""
        running = self.under_way(virtual_cluster)
        if running is not None:
            raise ConflictError(
                f"a switchover of {virtual_cluster} to {running.target} is under way ({running.id}, {running.state}): "
                "wait for its end, or cancel it with `tidegate switchover cancel`"
            )

    # -- starting and steering

    def order(self, virtual_clusters: Sequence[str], to: str, **asked: object) -> Order:
        """Return an order, checked. Raises UnknownError, UnfitError when it can never be carried out."""
        wrong = []
        for name in virtual_clusters:
            known = members(self._virtual_cluster(name))
            if to not in known:
                wrong.append(f"to: expected one of {', '.join(known)}, the clusters of {name}; found {to}")
        if wrong:
            raise UnfitError(f"{', '.join(virtual_clusters)} cannot be switched to {to}", wrong)
        sources = {self._holder.serving(name) for name in virtual_clusters}
        assert len(sources) == 1, "callers choose by who serves"
        return Order.model_validate(
            {"virtual_clusters": tuple(virtual_clusters), "source": sources.pop(), "target": to, **asked}
        )

    def served_by(self, cluster: str, to: str) -> list[str]:
        """Return the virtual clusters that a switchover of all from one cluster to another moves; where all are there
        already, those that it would have moved. Raises UnfitError where there are none."""
        if cluster not in self._holder.catalogue.clusters:
            raise UnknownError(f"there is no Cluster {cluster}")
        catalogue = self._holder.catalogue.virtual_clusters
        here = [name for name in catalogue if self._holder.serving(name) == cluster]
        there = [
            name
            for name, each in catalogue.items()
            if self._holder.serving(name) == to and {cluster, to} <= set(members(each))
        ]
        if not here and not there:
            raise UnfitError(f"{cluster} serves no virtual cluster", ["all_of: expected a cluster that serves some"])
        return here or there

    def start(self, order: Order, nursery: trio.Nursery | None) -> Switchover:
        """Start a switchover in the background and return its record; over at once when the target serves already.

        The same order again while it is under way, or the same key again at any time, is the same switchover. Raises
        UnfitError, ConflictError.
        """
        known = self._known(order)
        if known is not None:
            return known
        for name in order.virtual_clusters:
            self.refuse_while_switching(name)
        gauge = self._gauge(order)
        self._serial += 1
        switchover = Switchover(order, self._serial, self._clocks)
        if order.source == order.target:
            switchover.enter("done", f"{order.target} serves {', '.join(order.virtual_clusters)} already")
        else:
            assert nursery is not None, "run() must run"
            conductor = self._conductors[switchover.serial] = self._conductor(switchover, gauge)
            nursery.start_soon(self._conduct, switchover, conductor.run)
        self._all.append(switchover)
        self._forget_the_oldest()
        return switchover

    def cancel(self, switchover: Switchover, by: str) -> Switchover:
        """Take a switchover back. Raises ConflictError behind the point of no return."""
        if switchover.over:
            raise ConflictError(f"switchover {switchover.id} is over ({switchover.state}): there is nothing to cancel")
        conductor = self._conductors.get(switchover.serial)
        if conductor is None:
            raise ConflictError(f"switchover {switchover.id} is being taken up after a restart: wait for its end")
        conductor.cancel(by)
        return switchover

    def go_on(self, switchover: Switchover) -> Switchover:
        """Let a switchover go on from its pause. Raises ConflictError where it does not pause."""
        conductor = self._conductors.get(switchover.serial)
        if conductor is None:
            raise ConflictError(f"switchover {switchover.id} does not pause")
        conductor.go_on()
        return switchover

    # -- after a restart

    async def resume(self, nursery: trio.Nursery) -> None:
        """Carry on with what was found open behind the point of no return; write down what was rolled back."""
        for switchover in self._found_open:
            try:
                await self.keep(switchover)
            except StateError as error:
                log.error("%s", error)
            if not switchover.over:
                conductor = self._conductors[switchover.serial] = self._conductor(switchover, None)
                nursery.start_soon(self._conduct, switchover, conductor.carry_on)
        self._found_open = []

    def _take_up(self, switchover: Switchover) -> None:
        """Decide by the table what becomes of a switchover that was found open."""
        state = switchover.state
        switchover.resumed_at = state
        gone = [each for each in switchover.virtual_clusters if each not in self._holder.catalogue.virtual_clusters]
        gone += [each for each in (switchover.source, switchover.target) if each not in self._holder.catalogue.clusters]
        if AT_RESTART[state] == "roll back":
            switchover.enter(
                "rolled-back",
                f"the gateway ended at step {state}, before the point of no return: {switchover.source} serves, "
                "writes flow",
            )
        elif gone:
            switchover.enter("failed", f"the gateway ended at step {state}, and {', '.join(gone)} is not declared now")
        elif astray := [each for each in switchover.virtual_clusters if not self._is_served(each, switchover.target)]:
            serves = ", ".join(f"{self._holder.serving(each)} serves {each}" for each in astray)
            switchover.enter(
                "failed", f"the gateway ended at step {state}, and the files say something else by now: {serves}"
            )
        log.warning("switchover %s was open at step %s: %s", switchover.id, state, AT_RESTART[state])

    def _is_served(self, virtual_cluster: str, cluster: str) -> bool:
        return self._holder.serving(virtual_cluster) == cluster

    # -- what conductors signal

    def fence(self, virtual_clusters: tuple[str, ...], fence: Fence) -> int:
        """See Signals."""
        return self._holder.set_fences(virtual_clusters, fence)

    async def keep(self, switchover: Switchover) -> None:
        """See Signals. A dry run changes nothing, the record included."""
        if not switchover.dry_run:
            await self._holder.commit(lambda kept: kept.with_switchover(switchover.kept()))

    async def switch(self, switchover: Switchover, maps: Mapping[str, PositionMaps]) -> int:
        """See Signals."""

        def change(kept: Kept) -> Kept:
            for name in switchover.virtual_clusters:
                at_home = switchover.target == self._virtual_cluster(name).spec.cluster
                its_maps = maps.get(name, kept.positions.get(name, NO_MAPS))
                kept = kept.with_switch(name, None if at_home else switchover.target, its_maps)
            return kept.with_switchover(switchover.kept())

        conductor = self._conductors[switchover.serial]
        fence = replace(Fence("held") if conductor.fence == OPEN else conductor.fence, newcomers="wait")
        return await self._holder.commit(
            change, then=lambda: self._holder.set_fences(switchover.virtual_clusters, fence)
        )

    # --

    def _conductor(self, switchover: Switchover, gauge: Gauge | None) -> Conductor:
        clusters = self._holder.catalogue.clusters
        return Conductor(
            switchover,
            target_of(clusters[switchover.source]),
            target_of(clusters[switchover.target]),
            signals=self,
            data_path=self._data_path,
            gauge=gauge,
            without=canary_topics(self._holder.catalogue),
            positions={
                name: self._holder.position_taking(name, switchover.source, switchover.target)
                for name in switchover.virtual_clusters
            },
        )

    async def _conduct(self, switchover: Switchover, conduct: Callable[[], Awaitable[None]]) -> None:
        try:
            await conduct()
        finally:
            self._conductors.pop(switchover.serial, None)

    def _known(self, order: Order) -> Switchover | None:
        """Return the switchover that this order asks for once more."""
        for each in reversed(self._all):
            same = _substance(each.order) == _substance(order)
            if order.key is not None and each.order.key == order.key:
                if {*each.virtual_clusters} == {*order.virtual_clusters} and each.target == order.target:
                    return each
                raise ConflictError(
                    f"the key {order.key} belongs to switchover {each.id} of {each.in_words}: say another key"
                )
            if same and not each.over and order.key is None:
                return each
        return None

    def _gauge(self, order: Order) -> Gauge | None:
        """Return how the lag is measured. Raises UnfitError where it has to be and cannot."""
        if order.leave_records_behind or order.mode == "unplanned" or order.source == order.target:
            return None
        ways = {
            self._virtual_cluster(name).spec.replication_between(order.source, order.target)
            for name in order.virtual_clusters
        }
        names = ", ".join(order.virtual_clusters)
        if len(ways) > 1:
            raise UnfitError(
                f"{names} say different things of how {order.source} is replicated to {order.target}",
                [f"spec.replication: expected the same, found {', '.join(sorted(ways))}"],
            )
        gauge = gauge_for(ways.pop(), order.target, self._holder.way_back(order.source, order.target))
        if gauge is None:
            raise UnfitError(
                f"the lag of {names} cannot be measured: its replication is none",
                ["leave_records_behind: say true (--leave-records-behind) to switch and leave what is not replicated"],
            )
        return gauge

    def _virtual_cluster(self, name: str) -> VirtualCluster:
        found = self._holder.catalogue.virtual_clusters.get(name)
        if found is None:
            raise UnknownError(f"there is no VirtualCluster {name}")
        return found

    def _forget_the_oldest(self) -> None:
        over = [each for each in self._all if each.over]
        for each in over[: max(0, len(over) - SWITCHOVERS_KEPT)]:
            self._all.remove(each)


def _substance(order: Order) -> tuple[object, ...]:
    """Return what makes two orders the same: whom they move where, and how."""
    return frozenset(order.virtual_clusters), order.target, order.mode, order.dry_run, order.leave_records_behind
