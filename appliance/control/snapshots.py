"""From the live state to the immutable snapshot that the data path reads. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from appliance.control.catalogue import Catalogue
from appliance.control.faults import FaultBoard, LiveFault
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.exchange.snapshot import Door, Route, Snapshot, Target
from appliance.policies.connect.fence import OPEN, Fence, fence_interceptors
from appliance.resources.cluster import Cluster
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster, VirtualClusterSpec

StandardInterceptors = Callable[[VirtualClusterSpec], tuple[Interceptor, ...]]


class SnapshotMaker:
    """Makes snapshots with rising versions.

    A virtual cluster whose spec did not change keeps its standard interceptors, and what they remember.
    """

    def __init__(self, standard: StandardInterceptors) -> None:
        self._standard = standard
        self._kept: dict[str, tuple[VirtualClusterSpec, tuple[Interceptor, ...]]] = {}
        self._fences: dict[str, tuple[Fence, tuple[Interceptor, ...]]] = {}
        self._version = 0

    def make(
        self, catalogue: Catalogue, serving: Mapping[str, str], fences: Mapping[str, Fence], faults: FaultBoard
    ) -> Snapshot:
        """Return the next snapshot; `serving` has the virtual clusters that were switched, `fences` those whose
        writes are kept from flowing."""
        self._version += 1
        routes = {}
        for name, virtual_cluster in catalogue.virtual_clusters.items():
            active = faults.active(name)
            fence = fences.get(name, OPEN)
            routes[name] = Route(
                name=name,
                target=target_of(catalogue.clusters[serving_cluster(virtual_cluster, serving)]),
                interceptors=(
                    *self._fence_interceptors(name, fence),
                    *self._interceptors(virtual_cluster),
                    *_fault_interceptors(active),
                ),
                fenced=fence.state == "held",
                outages=_outages(active),
            )
        doors = tuple(door_of(listener) for listener in catalogue.listeners.values())
        return Snapshot(self._version, MappingProxyType(routes), doors)

    def _fence_interceptors(self, name: str, fence: Fence) -> tuple[Interceptor, ...]:
        """Return those of a fence, and as long as it stays the same, the same: they remember what has ended."""
        kept = self._fences.get(name)
        if kept is None or kept[0] != fence:
            kept = self._fences[name] = (fence, fence_interceptors(fence))
        return kept[1]

    def _interceptors(self, virtual_cluster: VirtualCluster) -> tuple[Interceptor, ...]:
        kept = self._kept.get(virtual_cluster.name)
        if kept is None or kept[0] != virtual_cluster.spec:
            kept = (virtual_cluster.spec, self._standard(virtual_cluster.spec))
            self._kept[virtual_cluster.name] = kept
        return kept[1]


def serving_cluster(virtual_cluster: VirtualCluster, serving: Mapping[str, str]) -> str:
    """Return which cluster serves: the one that it was switched to, else the one of its spec."""
    return serving.get(virtual_cluster.name, virtual_cluster.spec.cluster)


def target_of(cluster: Cluster) -> Target:
    """Return a cluster as the data path needs it."""
    return Target(cluster.name, tuple(parse_address(each) for each in cluster.spec.bootstrap))


def door_of(listener: Listener) -> Door:
    """Return a listener as the data path needs it."""
    host, port = parse_address(listener.spec.bind)
    return Door(
        name=listener.name,
        host=host,
        port=port,
        advertise=listener.spec.advertise or host,
        brokers=listener.spec.ports(),
        virtual_cluster=listener.spec.virtual_cluster,
    )


def _fault_interceptors(active: Iterable[LiveFault]) -> Iterable[Interceptor]:
    return [each.armed.interceptor for each in active if each.armed.interceptor is not None]


def _outages(active: Iterable[LiveFault]) -> Mapping[str, Outage]:
    return MappingProxyType(
        {
            each.fault.spec.outage.cluster: each.armed.outage
            for each in active
            if each.fault.spec.outage is not None and each.armed.outage is not None
        }
    )
