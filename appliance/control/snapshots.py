"""From an edition to the immutable snapshot that the data path reads: interceptors are made and kept here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from appliance.control.armoury import Armed, Armoury
from appliance.control.edition import Edition, FaultInForce
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.exchange.snapshot import Door, Route, Snapshot, Target
from appliance.resources.cluster import Cluster
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster, VirtualClusterSpec

StandardInterceptors = Callable[[VirtualClusterSpec], tuple[Interceptor, ...]]


class SnapshotMaker:
    """Makes snapshots with rising versions, which are this process's own; one per process that has a gateway.

    A virtual cluster whose spec did not change keeps its standard interceptors, and what they remember; so does a
    fault, as long as editions have it.
    """

    def __init__(self, standard: StandardInterceptors, armoury: Armoury) -> None:
        self.armoury = armoury
        self._standard = standard
        self._kept: dict[str, tuple[VirtualClusterSpec, tuple[Interceptor, ...]]] = {}
        self._version = 0

    def make(self, edition: Edition) -> Snapshot:
        """Return the next snapshot, which serves as this edition says."""
        self._version += 1
        catalogue = edition.catalogue
        armed = self.armoury.ready(edition.faults)
        routes = {}
        for name, virtual_cluster in catalogue.virtual_clusters.items():
            standing = edition.virtual_clusters[name]
            faults = [(each, armed[each.arming]) for each in edition.faults_on(name)]
            routes[name] = Route(
                name=name,
                target=target_of(catalogue.clusters[standing.serving]),
                interceptors=(*self._interceptors(virtual_cluster), *_fault_interceptors(faults)),
                fenced=standing.fenced,
                outages=_outages(faults),
            )
        doors = tuple(door_of(listener) for listener in catalogue.listeners.values())
        return Snapshot(self._version, MappingProxyType(routes), doors)

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
        limits=listener.spec.limits,
    )


def _fault_interceptors(faults: Iterable[tuple[FaultInForce, Armed]]) -> Iterable[Interceptor]:
    return [armed.interceptor for _, armed in faults if armed.interceptor is not None]


def _outages(faults: Iterable[tuple[FaultInForce, Armed]]) -> Mapping[str, Outage]:
    return MappingProxyType(
        {
            fault.spec.outage.cluster: armed.outage
            for fault, armed in faults
            if fault.spec.outage is not None and armed.outage is not None
        }
    )
