"""The live state as a whole. Every change goes through here and ends in one new edition.

Changes of what is kept (resources, who serves) are made one after the other: checked, written to the disk,
published. Changes of faults and fences are immediate and kept nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import trio

from appliance.control.armoury import Arm, FaultCounts
from appliance.control.catalogue import Catalogue, Declared, identity_of
from appliance.control.datapath import DataPath
from appliance.control.edition import Edition, Standing
from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.control.failover_watch import FailoverWatches
from appliance.control.faults import FaultBoard, LiveFault
from appliance.control.positions import NO_TOPIC_IDS, Follower, Pair, PositionTaking
from appliance.control.references import fault_problems, members, problems, referrers
from appliance.control.snapshots import serving_cluster, target_of
from appliance.control.statedir import Kept, StateDir, restore, with_change
from appliance.control.switchover import Clocks, Switchover
from appliance.control.switchovers import Switchovers
from appliance.control.topic_ids import Seen, TopicIdMemory
from appliance.control.ways_back import common
from appliance.exchange.route import Target
from appliance.policies.connect.fence import OPEN, Fence
from appliance.policies.positions.hold_fetch import Held
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.policies.positions.way_back import WayBack
from appliance.resources.fault import Fault
from appliance.resources.virtual_cluster import VirtualCluster

Outcome = Literal["created", "changed", "unchanged"]
log = logging.getLogger("tidegate.control")


class ControlPlane:
    """Holds the declared resources, who serves, the fences, the faults and the switchovers of one gateway.

    `declared` is what the files say; `state` is where changes are kept (None: nowhere; the caller closes it).
    Raises UnfitError for resources that do not fit together, StateError for a state directory that does not
    serve.
    """

    def __init__(
        self,
        declared: Iterable[Declared],
        *,
        data_path: DataPath,
        arm: Arm,
        clocks: Clocks,
        state: StateDir | None = None,
    ) -> None:
        self._declared = Catalogue.of(declared).resources
        self._state = state
        self._data_path = data_path
        self._clocks = clocks
        self._follower = Follower(data_path, self._followed)
        self.version = 0
        """Of the edition handed out last."""
        self._fences: dict[str, Fence] = {}
        self._nursery: trio.Nursery | None = None
        self._changing = trio.Lock()
        self._instants_changed = trio.Event()
        self.faults = FaultBoard(arm)
        self.catalogue, self._kept, remarks = restore(self._declared.values(), state.load() if state else Kept())
        for remark in remarks:
            log.warning("%s", remark)
        wrong = problems(self.catalogue)
        if wrong:
            raise UnfitError("the resources do not fit together", wrong)
        self.failover = FailoverWatches(self, data_path, clocks)
        self._topic_ids = TopicIdMemory(data_path, self._can_be_left, self._kept.topic_ids, self._keep_topic_ids)
        self.switchovers = Switchovers(self, data_path, clocks, self._kept.switchovers)
        self._publish()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let leases lapse and switchovers proceed, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self.failover.adopt(nursery)
            nursery.start_soon(self._follower.run)
            nursery.start_soon(self._topic_ids.run)
            task_status.started()
            while True:
                self._settle_faults()
                with trio.move_on_at(self.faults.next_instant()):
                    await self._instants_changed.wait()
                    self._instants_changed = trio.Event()

    # -- resources

    def get(self, kind: str, name: str) -> Declared:
        """Return a declared resource. Raises UnknownError."""
        resource = self.catalogue.get(kind, name)
        if resource is None:
            raise UnknownError(f"there is no {kind} {name}")
        return resource

    async def put(self, resource: Declared) -> Outcome:
        """Create or change a resource. Raises UnfitError, ConflictError, StateError."""
        async with self._changing:
            before = self.catalogue.get(*identity_of(resource))
            if before == resource:
                return "unchanged"
            kept = with_change(self._kept, self._declared, identity_of(resource), resource)
            if isinstance(before, VirtualCluster) and isinstance(resource, VirtualCluster):
                self._refuse_a_hidden_switch(before, resource)
                serving = self.serving(resource.name)
                kept = kept.with_serving(resource.name, None if serving == resource.spec.cluster else serving)
            catalogue = self.catalogue.with_resource(resource)
            wrong = problems(catalogue)
            if wrong:
                raise UnfitError(f"{resource.kind} {resource.name} is refused", wrong)
            await self._keep(kept)
            self._adopt(catalogue)
            return "created" if before is None else "changed"

    async def delete(self, kind: str, name: str) -> None:
        """Delete a resource. Raises UnknownError, ConflictError while another refers to it, StateError."""
        async with self._changing:
            self.get(kind, name)
            users = referrers(self.catalogue, kind, name) + self._faults_on(kind, name)
            if users:
                raise ConflictError(f"{kind} {name} cannot be deleted: it is used by {', '.join(users)}")
            kept = with_change(self._kept, self._declared, (kind, name), None)
            if kind == "VirtualCluster":
                self.switchovers.refuse_while_switching(name)
                kept = kept.without_switches(name)
            await self._keep(kept)
            self._adopt(self.catalogue.without(kind, name))

    # -- who serves

    def serving(self, virtual_cluster: str) -> str:
        """Return the cluster that serves a virtual cluster now. Raises UnknownError."""
        return serving_cluster(self._virtual_cluster(virtual_cluster), self._kept.serving)

    def is_fenced(self, virtual_cluster: str) -> bool:
        """Return whether its writes are kept from flowing."""
        return self.fence_of(virtual_cluster).state in {"held", "refused"}

    def fence_of(self, virtual_cluster: str) -> Fence:
        """Return what becomes of its writes."""
        return self._fences.get(virtual_cluster, OPEN)

    def switchover(self, virtual_cluster: str) -> Switchover | None:
        """Return its latest switchover."""
        return self.switchovers.latest(virtual_cluster)

    def start_switchover(self, virtual_cluster: str, to: str, **asked: object) -> Switchover:
        """Start a switchover in the background and return its record; over at once when `to` serves already.

        `asked`: see Order. Raises UnknownError, UnfitError when it can never take place, ConflictError when another is
        under way.
        """
        return self.switchovers.start(self.switchovers.order([virtual_cluster], to, **asked), self._nursery)

    def start_switchover_of_all(self, cluster: str, to: str, **asked: object) -> Switchover:
        """Start one switchover of all virtual clusters that a cluster serves. Raises as `start_switchover`."""
        names = self.switchovers.served_by(cluster, to)
        return self.switchovers.start(self.switchovers.order(names, to, **asked), self._nursery)

    def start_switchover_of(self, virtual_clusters: list[str], to: str, **asked: object) -> Switchover:
        """Start one switchover of these virtual clusters, which one cluster serves. Raises as `start_switchover`."""
        return self.switchovers.start(self.switchovers.order(virtual_clusters, to, **asked), self._nursery)

    def all_switchovers(self) -> Iterable[Switchover]:
        """Return the switchover under way and the last ones."""
        return self.switchovers.all()

    def outage_of(self, cluster: str) -> str | None:
        """Return the fault that makes a cluster unreachable for a virtual cluster now."""
        return next(
            (
                each.fault.name
                for each in self.faults.alive()
                if each.state == "active" and each.fault.spec.outage and each.fault.spec.outage.cluster == cluster
            ),
            None,
        )

    async def resume_switchovers(self) -> None:
        """Carry on with what a dead gateway left; to be called once the data path serves."""
        assert self._nursery is not None, "run() must run"
        await self.switchovers.resume(self._nursery)

    def position_taking(self, virtual_cluster: str, source: str, target: str) -> PositionTaking:
        """See Holder of the switchovers."""
        spec = self._virtual_cluster(virtual_cluster).spec
        seen = self._topic_ids.seen.get(source, NO_TOPIC_IDS)
        maps, beside = self._maps(virtual_cluster), partial(self._ways_back, target)
        return PositionTaking(spec, maps, source, target, self._follower, seen, beside)

    def way_back(self, source: str, target: str) -> WayBack | None:
        """Return where logs ended when all that `source` serves was switched to it from `target`; None: not known."""
        return common(source, target, self._ways_back(source))

    def _ways_back(self, serving: str) -> list[WayBack | None]:
        return [self._maps(each).way_back for each in self.catalogue.virtual_clusters if self.serving(each) == serving]

    def set_fences(self, virtual_clusters: Iterable[str], fence: Fence) -> int:
        """See Holder of the switchovers."""
        self._fences = {**self._fences, **dict.fromkeys(virtual_clusters, fence)}
        return self._publish()

    async def commit(self, change: Callable[[Kept], Kept], *, then: Callable[[], int] | None = None) -> int:
        """See Holder of the switchovers."""
        async with self._changing:
            await self._keep(change(self._kept))
            return self.version if then is None else then()

    # -- consumers across a switch

    def held_fetches(self, virtual_cluster: str) -> list[Held]:
        """Return the clients whose Fetch is held since the last switch, and for which groups. Raises UnknownError."""
        self._virtual_cluster(virtual_cluster)
        return self._data_path.held_fetches(virtual_cluster)

    def _maps(self, virtual_cluster: str) -> PositionMaps:
        return self._kept.positions.get(virtual_cluster, NO_MAPS)

    def _followed(self) -> set[Pair]:
        """Return between which clusters offset syncs have to be known before they are needed."""
        return {
            Pair(target_of(self.catalogue.clusters[self.serving(name)]), member)
            for name, declared in self.catalogue.virtual_clusters.items()
            if declared.spec.offsets == "continuous"
            for member in members(declared)
            if member != self.serving(name)
        }

    def _can_be_left(self) -> dict[str, Target]:
        """Return the clusters that serve and that some virtual cluster could be switched away from."""
        serving = {
            self.serving(name)
            for name, declared in self.catalogue.virtual_clusters.items()
            if len(members(declared)) > 1 and declared.spec.remedies.topic_ids == "on"
        }
        return {name: target_of(self.catalogue.clusters[name]) for name in sorted(serving)}

    async def _keep_topic_ids(self, seen: Seen) -> None:
        await self.commit(lambda kept: kept.with_topic_ids(seen))

    # -- faults

    def put_fault(self, fault: Fault) -> Outcome:
        """Arm a fault; one that is alive and the same is renewed. Raises UnfitError, ConflictError."""
        self._settle_faults()
        wrong = fault_problems(fault.spec, self.catalogue)
        if wrong:
            raise UnfitError(f"Fault {fault.name} is refused", wrong)
        outcome = self.faults.put(fault, trio.current_time())
        if outcome != "unchanged":
            log.warning("fault %s (%s) on %s armed", fault.name, fault.spec.type, fault.spec.virtual_cluster)
        self._publish()
        self._instants_changed.set()
        return outcome

    def renew_fault(self, name: str) -> LiveFault:
        """Renew a lease. Raises UnknownError, ConflictError when the fault is over."""
        self._settle_faults()
        live = self.faults.renew(name, trio.current_time())
        self._publish()
        self._instants_changed.set()
        return live

    def remove_fault(self, name: str) -> LiveFault:
        """End a fault; one that is over stays as it is. Raises UnknownError."""
        self._settle_faults()
        live = self.faults.remove(name)
        self._publish()
        return live

    def end_faults(self) -> list[LiveFault]:
        """End all faults at once; return those that were alive."""
        self._settle_faults()
        ended = [self.faults.remove(each.fault.name) for each in self.faults.alive()]
        self._publish()
        log.warning("all faults ended: %s", ", ".join(each.fault.name for each in ended) or "there were none")
        return ended

    def fault_counts(self, live: LiveFault) -> FaultCounts:
        """Return what a fault has counted, alive or over."""
        return self._data_path.fault_counts(live.arming)

    # --

    def _settle_faults(self) -> None:
        before = [(each.fault.name, each.state) for each in self.faults.alive()]
        self.faults.settle(trio.current_time())
        for name, state in before:
            now = self.faults.get(name).state
            if now != state:
                log.warning("fault %s: %s", name, now)
        if before != [(each.fault.name, each.state) for each in self.faults.alive()]:
            self._publish()

    def _adopt(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._publish()
        if self._nursery is not None:
            self.failover.adopt(self._nursery)

    def _publish(self) -> int:
        """Hand out an edition of all that holds now; return its version."""
        self.version += 1
        self._data_path.publish(
            Edition(
                version=self.version,
                resources=tuple(self.catalogue.resources.values()),
                virtual_clusters={name: self._standing(each) for name, each in self.catalogue.virtual_clusters.items()},
                faults=tuple(each.in_force(trio.current_time()) for each in self.faults.active()),
            )
        )
        return self.version

    def _standing(self, virtual_cluster: VirtualCluster) -> Standing:
        return Standing(
            serving=serving_cluster(virtual_cluster, self._kept.serving),
            fence=self.fence_of(virtual_cluster.name),
            switches=self._kept.switches.get(virtual_cluster.name, 0),
            maps=self._maps(virtual_cluster.name),
        )

    async def _keep(self, kept: Kept) -> None:
        if self._state is not None:
            await trio.to_thread.run_sync(self._state.save, kept)
        self._kept = kept

    def _virtual_cluster(self, name: str) -> VirtualCluster:
        found = self.get("VirtualCluster", name)
        assert isinstance(found, VirtualCluster)
        return found

    def _refuse_a_hidden_switch(self, before: VirtualCluster, after: VirtualCluster) -> None:
        self.switchovers.refuse_while_switching(before.name)
        serving = self.serving(before.name)
        if serving not in members(after):
            raise ConflictError(f"{serving} serves {before.name} now: switch over before you take it away")
        if after.spec.cluster not in {before.spec.cluster, serving}:
            raise ConflictError(
                f"{serving} serves {before.name}: another cluster comes to serve by a switchover, "
                f"not by a change of spec.cluster (expected {before.spec.cluster} or {serving})"
            )

    def _faults_on(self, kind: str, name: str) -> list[str]:
        users = []
        for live in self.faults.alive():
            spec = live.fault.spec
            referred = {("VirtualCluster", spec.virtual_cluster)}
            if spec.outage is not None:
                referred.add(("Cluster", spec.outage.cluster))
            if (kind, name) in referred:
                users.append(f"Fault {live.fault.name}")
        return users
