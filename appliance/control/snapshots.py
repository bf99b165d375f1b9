"""From the live state to the immutable snapshot that the data path reads. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from appliance.control.catalogue import Catalogue
from appliance.control.faults import FaultBoard, LiveFault
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.exchange.snapshot import Door, Route, Snapshot, Target
from appliance.policies.positions.hold_fetch import Held
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.policies.positions.switched import NEVER, Switched
from appliance.resources.cluster import Cluster
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster, VirtualClusterSpec

NOT_SWITCHED: Mapping[str, Switched] = MappingProxyType({})
NO_POSITIONS: Mapping[str, PositionMaps] = MappingProxyType({})
StandardInterceptors = Callable[[VirtualClusterSpec], tuple[Interceptor, ...]]


class ForConsumers(Protocol):
    """What one virtual cluster does for consumers across a switch; `policies.positions.Positions` is it."""

    def held(self) -> list[Held]: ...
    def interceptors(
        self, spec: VirtualClusterSpec, serving: str, switched: Switched = ..., maps: PositionMaps = ...
    ) -> tuple[Interceptor, ...]: ...


class SnapshotMaker:
    """Makes snapshots with rising versions.

    A virtual cluster whose spec did not change keeps its standard interceptors, and what they remember.
    """

    def __init__(self, standard: StandardInterceptors, positions: Callable[[], ForConsumers]) -> None:
        self._standard = standard
        self._make_positions = positions
        self._positions: dict[str, ForConsumers] = {}
        self._kept: dict[str, tuple[VirtualClusterSpec, tuple[Interceptor, ...]]] = {}
        self._version = 0

    def make(
        self,
        catalogue: Catalogue,
        serving: Mapping[str, str],
        fenced: frozenset[str],
        faults: FaultBoard,
        switches: Mapping[str, Switched] = NOT_SWITCHED,
        positions: Mapping[str, PositionMaps] = NO_POSITIONS,
    ) -> Snapshot:
        """Return the next snapshot; `serving` has the virtual clusters that are not served by the cluster of their
        spec, `fenced` those at the fence, `switches` those that were ever switched, `positions` their offset maps."""
        self._version += 1
        routes = {}
        for name, virtual_cluster in catalogue.virtual_clusters.items():
            active = faults.active(name)
            serves = serving_cluster(virtual_cluster, serving)
            for_consumers = self._positions_of(name).interceptors(
                virtual_cluster.spec, serves, switches.get(name, NEVER), positions.get(name, NO_MAPS)
            )
            routes[name] = Route(
                name=name,
                target=target_of(catalogue.clusters[serves]),
                interceptors=(*self._interceptors(virtual_cluster), *for_consumers, *_fault_interceptors(active)),
                fenced=name in fenced,
                outages=_outages(active),
            )
        doors = tuple(door_of(listener) for listener in catalogue.listeners.values())
        return Snapshot(self._version, MappingProxyType(routes), doors)

    def held(self, virtual_cluster: str) -> list[Held]:
        """Return the clients whose Fetch is held since the last switch."""
        return self._positions_of(virtual_cluster).held()

    def _positions_of(self, virtual_cluster: str) -> ForConsumers:
        if virtual_cluster not in self._positions:
            self._positions[virtual_cluster] = self._make_positions()
        return self._positions[virtual_cluster]

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
