"""From an edition to the immutable snapshot that the data path reads: interceptors are made and kept here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from appliance.control.armoury import Armed, Armoury
from appliance.control.catalogue import Catalogue
from appliance.control.edition import Edition, FaultInForce, Standing
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.exchange.route import NO_TOPICS, Route, Target
from appliance.gateway.snapshot import Door, Snapshot
from appliance.identity.accounts import Accounts
from appliance.identity.keys import KeySets
from appliance.identity.policy import policy_of
from appliance.identity.revocations import Revocations
from appliance.policies.connect.fence import Fence, fence_interceptors
from appliance.policies.positions.hold_fetch import Held
from appliance.policies.positions.members import News
from appliance.policies.positions.offset_maps import PositionMaps
from appliance.resources.cluster import Cluster
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener
from appliance.resources.user import User
from appliance.resources.virtual_cluster import VirtualCluster, VirtualClusterSpec

StandardInterceptors = Callable[[VirtualClusterSpec], tuple[Interceptor, ...]]


class ForConsumers(Protocol):
    """What one virtual cluster does for consumers across a switch; `policies.positions.Positions` is it."""

    def held(self) -> list[Held]: ...
    def take(self, news: News) -> None: ...
    def interceptors(
        self, spec: VirtualClusterSpec, serving: str, switches: int = ..., maps: PositionMaps = ...
    ) -> tuple[Interceptor, ...]: ...
    def closest_to_the_cluster(self, spec: VirtualClusterSpec, maps: PositionMaps = ...) -> tuple[Interceptor, ...]: ...


class SnapshotMaker:
    """Makes snapshots with rising versions, which are this process's own; one per process that has a gateway.

    A virtual cluster whose spec did not change keeps its standard interceptors, and what they remember; so does a
    fault, as long as editions have it. `shared_doors`: other processes open the same ports. `disguise`: see Accounts.
    `positions` makes what a virtual cluster does for consumers across switches.
    """

    def __init__(
        self,
        standard: StandardInterceptors,
        armoury: Armoury,
        *,
        shared_doors: bool = False,
        disguise: bytes | None = None,
        positions: Callable[[str], ForConsumers] | None = None,
    ) -> None:
        self.armoury = armoury
        self._standard = standard
        self._make_positions = positions
        self._positions: dict[str, ForConsumers] = {}
        self._shared_doors = shared_doors
        self._disguise = disguise or os.urandom(32)
        self._key_sets = KeySets()
        self._users: tuple[User, ...] = ()
        self._accounts = Accounts.of((), self._disguise)
        self._revocations = Revocations()
        self._kept: dict[str, tuple[VirtualClusterSpec, tuple[Interceptor, ...]]] = {}
        self._fences: dict[str, tuple[Fence, tuple[Interceptor, ...]]] = {}
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
            before_faults, behind_faults = self._across_switches(virtual_cluster, standing)
            routes[name] = Route(
                name=name,
                target=target_of(catalogue.clusters[standing.serving]),
                interceptors=(
                    *self._fence_interceptors(name, standing.fence),
                    *self._interceptors(virtual_cluster),
                    *before_faults,
                    *_fault_interceptors(faults),
                    *behind_faults,
                ),
                fenced=standing.fence.state == "held",
                newcomers_wait=standing.fence.newcomers == "wait",
                held_writes_go_on=virtual_cluster.spec.remedies.held_writes == "on",
                topics=_topics(standing),
                outages=_outages(faults),
            )
        self._take_note_of_who_is_known(catalogue)
        doors = tuple(self._door(listener) for listener in catalogue.listeners.values())
        return Snapshot(self._version, MappingProxyType(routes), doors)

    def _fence_interceptors(self, name: str, fence: Fence) -> tuple[Interceptor, ...]:
        """Return those of a fence, and as long as it stays the same, the same: they remember what has ended."""
        kept = self._fences.get(name)
        if kept is None or kept[0] != fence:
            kept = self._fences[name] = (fence, fence_interceptors(fence, kept))
        return kept[1]

    def held(self, virtual_cluster: str) -> list[Held]:
        """Return the clients whose Fetch is held since the last switch."""
        its = self._positions.get(virtual_cluster)
        return its.held() if its is not None else []

    def take(self, virtual_cluster: str, news: Iterable[News]) -> None:
        """Take note of what another process heard of members of groups."""
        if (its := self._positions.get(virtual_cluster)) is not None:
            for each in news:
                its.take(each)

    def _across_switches(
        self, virtual_cluster: VirtualCluster, standing: Standing
    ) -> tuple[tuple[Interceptor, ...], tuple[Interceptor, ...]]:
        """Return what keeps clients right across switches: in front of faults, and closest to the cluster."""
        if self._make_positions is None:
            return (), ()
        its = self._positions.get(virtual_cluster.name)
        if its is None:
            its = self._positions[virtual_cluster.name] = self._make_positions(virtual_cluster.name)
        made = its.interceptors(virtual_cluster.spec, standing.serving, standing.switches, standing.maps)
        return made, its.closest_to_the_cluster(virtual_cluster.spec, standing.maps)

    def _take_note_of_who_is_known(self, catalogue: Catalogue) -> None:
        """Make the accounts anew where users have changed: with thousands of them it is work."""
        users = tuple(catalogue.users.values())
        if users != self._users:
            self._users, self._accounts = users, Accounts.of(users, self._disguise)
        self._revocations = Revocations(catalogue.token_revocations.values())

    def _door(self, listener: Listener) -> Door:
        asked = listener.spec.authentication
        identity = None
        if asked is not None and (asked.mechanisms or asked.certificate):
            identity = policy_of(asked, self._accounts, self._revocations, self._key_sets)
        return Door(listener.name, listener.spec, identity, shared=self._shared_doors)

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
    spec = cluster.spec
    bootstrap = tuple(parse_address(each) for each in spec.bootstrap)
    return Target(cluster.name, bootstrap, tls=spec.tls, authentication=spec.authentication)


def _topics(standing: Standing) -> Mapping[bytes, str]:
    ids = standing.maps.topic_ids.get(standing.serving)
    return MappingProxyType({each.known: name for name, each in ids.items()}) if ids else NO_TOPICS


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
