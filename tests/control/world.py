"""Clusters and a data path in memory, and a control plane that drives them. The clock is whatever trio's is."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from appliance.chaos.faults import arm
from appliance.control.armoury import Armoury, FaultCounts
from appliance.control.catalogue import Declared
from appliance.control.datapath import Partition, WorkerFacts
from appliance.control.edition import Edition
from appliance.control.plane import ControlPlane
from appliance.control.snapshots import SnapshotMaker, StandardInterceptors
from appliance.control.statedir import StateDir
from appliance.control.switchover import Clocks
from appliance.exchange.measures import Measures
from appliance.exchange.route import Target
from appliance.gateway.client import AclEntry, ClusterFacts, Commit, Group, KeyValue, OpenTransaction
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.gateway.errors import ClusterUnreachable
from appliance.gateway.server import GatewayFacts
from appliance.gateway.snapshot import Snapshot
from appliance.policies.connect.fence import OPEN
from appliance.policies.positions.hold_fetch import Held
from appliance.resources.documents import check_resource, parse_documents
from appliance.resources.fault import Fault
from appliance.resources.kinds import Resource

WALL = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)

ORDERS = """
{kind: Cluster, metadata: {name: primary}, spec: {bootstrap: ["10.0.0.1:9092"]}}
---
{kind: Cluster, metadata: {name: standby}, spec: {bootstrap: ["10.0.0.2:9092", "10.0.0.3:9092"]}}
---
kind: VirtualCluster
metadata: {name: orders}
spec: {cluster: primary, standbys: [standby], replication: mirrormaker}
---
kind: Listener
metadata: {name: orders}
spec: {bind: "127.0.0.1:19092", virtual_cluster: orders, broker_ports: {first: 19093, count: 10}}
"""


def resources(text: str) -> list[Resource]:
    """Read resources from YAML."""
    return [check_resource(document) for document in parse_documents(text, "test.yaml")]


def declared(text: str = ORDERS) -> list[Declared]:
    """Read resources, among which there is no fault."""
    return [each for each in resources(text) if not isinstance(each, Fault)]


def fault(name: str = "slow", **spec: object) -> Fault:
    """Make a fault on orders: latency for a minute, where the spec does not say otherwise."""
    whole: dict[str, object] = {"virtual_cluster": "orders", "duration": "1m", **spec}
    if not whole.keys() & {"latency", "error", "outage"}:
        whole["latency"] = {"delay": "100ms"}
    return Fault.model_validate({"metadata": {"name": name}, "spec": whole})


def sync_record(topic: str, partition: int, upstream: int, downstream: int) -> tuple[bytes, bytes]:
    """Encode an offset sync as MirrorMaker 2 does."""
    name = topic.encode()
    return struct.pack(f">h{len(name)}si", len(name), name, partition), struct.pack(">qq", upstream, downstream)


@dataclass
class MemoryCluster:
    """A cluster as control sees it: logs are a start and an end."""

    name: str
    logs: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    records_of: dict[str, list[KeyValue]] = field(default_factory=dict)
    reachable: bool = True
    headless: list[Partition] = field(default_factory=list)
    since: dict[int, int] = field(default_factory=dict)
    """Timestamp in ms -> the first offset since then, in every partition."""
    asked: int = 0
    markers: dict[Partition, int] = field(default_factory=dict)
    """Partition -> how many transaction markers its log ends in."""
    group_list: list[Group] = field(default_factory=list)
    commits: dict[str, dict[Partition, int]] = field(default_factory=dict)
    refuses_commits: str = ""
    """Kafka's error for commits from outside."""
    transactions: dict[str, str] = field(default_factory=dict)
    """Transactional id -> state."""
    fenced_ids: list[str] = field(default_factory=list)
    sought: list[tuple[str, str]] = field(default_factory=list)
    """Of whom somebody asked for the coordinator: kind, and group or transactional id."""
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    acl_entries: frozenset[AclEntry] | None = None
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    """Topic -> its id."""
    mute: set[str] = field(default_factory=set)
    """Questions that it does not answer: names of methods."""
    broken: set[str] = field(default_factory=set)
    """What the canary finds broken: names of methods."""

    def add_sync(self, alias: str, topic: str, partition: int, upstream: int, downstream: int) -> None:
        """Append to the offset syncs for the cluster `alias`."""
        syncs = f"mm2-offset-syncs.{alias}.internal"
        log = self.records_of.setdefault(syncs, [])
        log.append(KeyValue(len(log), *sync_record(topic, partition, upstream, downstream)))
        self.logs[syncs, 0] = (0, len(log))

    async def _ask(self, what: str = "") -> None:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        if what in self.mute:
            raise ClusterUnreachable(f"cluster {self.name}: {what} was answered with CLUSTER_AUTHORIZATION_FAILED")
        if not self.reachable or what in self.broken:
            raise ClusterUnreachable(f"cluster {self.name} cannot be reached")

    async def describe(self) -> ClusterFacts:
        await self._ask()
        return ClusterFacts(f"id-of-{self.name}", {1: ("10.0.0.1", 9092)}, 1)

    async def topics(self) -> Mapping[str, tuple[int, ...]]:
        await self._ask()
        names = {topic for topic, _ in self.logs}
        return {name: tuple(sorted(number for topic, number in self.logs if topic == name)) for name in names}

    async def topic_ids(self) -> Mapping[str, bytes]:
        await self._ask("topic_ids")
        return dict(self.ids)

    async def leaderless(self) -> tuple[Partition, ...]:
        await self._ask()
        return tuple(self.headless)

    async def start_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        await self._ask()
        return {(topic, each): self.logs[topic, each][0] for topic, all_ in topics.items() for each in all_}

    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        await self._ask()
        return {(topic, each): self.logs[topic, each][1] for topic, all_ in topics.items() for each in all_}

    async def offsets_since(self, topics: Mapping[str, Iterable[int]], timestamp: int) -> Mapping[Partition, int]:
        await self._ask()
        return {(topic, each): self.since.get(timestamp, -1) for topic, all_ in topics.items() for each in all_}

    async def records(self, topic: str, partition: int, from_offset: int) -> list[KeyValue]:
        await self._ask()
        assert partition == 0
        return [each for each in self.records_of[topic] if each.offset >= from_offset]

    async def data_end(self, topic: str, partition: int, start: int, end: int) -> int:
        await self._ask()
        return max(start, end - self.markers.get((topic, partition), 0))

    async def write(self, topic: str, partition: int, value: bytes) -> int:  # noqa: ARG002 - logs are two numbers
        await self._ask("write")
        if (topic, partition) not in self.logs:
            raise ClusterUnreachable(f"cluster {self.name}: partition {topic}/{partition} has no leader")
        start, end = self.logs[topic, partition]
        self.logs[topic, partition] = (start, end + 1)
        return end

    async def reads_at(self, topic: str, partition: int, offset: int) -> bool:
        await self._ask("reads_at")
        return offset < self.logs[topic, partition][1]

    async def groups(self) -> list[Group]:
        await self._ask("groups")
        return self.group_list

    async def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, Commit]]:
        await self._ask("committed")
        return {name: {at: Commit(its) for at, its in self.commits.get(name, {}).items()} for name in groups}

    async def commit(self, commits: Mapping[str, Mapping[Partition, Commit]]) -> Mapping[str, str]:
        await self._ask()
        if self.refuses_commits:
            return dict.fromkeys(commits, self.refuses_commits)
        for group, its in commits.items():
            self.commits.setdefault(group, {}).update({at: each.offset for at, each in its.items()})
        return {}

    async def coordinator(self, kind: str, key: str) -> int:
        await self._ask("coordinator")
        self.sought.append((kind, key))
        return 1

    async def open_transactions(self) -> list[OpenTransaction]:
        await self._ask("open_transactions")
        return [OpenTransaction(name, state, WALL, 1) for name, state in sorted(self.transactions.items())]

    async def fence_transactional_id(self, transactional_id: str) -> None:
        await self._ask()
        self.fenced_ids.append(transactional_id)
        self.transactions.pop(transactional_id, None)

    async def topic_configs(self, topics: Collection[str], names: Collection[str]) -> dict[str, dict[str, str]]:
        await self._ask("topic_configs")
        return {
            topic: {name: value for name, value in self.configs.get(topic, {}).items() if name in names}
            for topic in topics
        }

    async def acls(self) -> frozenset[AclEntry] | None:
        await self._ask("acls")
        return self.acl_entries

    async def api_versions(self) -> dict[int, tuple[int, int]]:
        await self._ask("api_versions")
        return self.versions


@dataclass
class World:
    """The data path: clusters, what was published, what was done to clients."""

    clusters: dict[str, MemoryCluster] = field(default_factory=dict)
    published: list[Snapshot] = field(default_factory=list)
    writes: int = 0
    overdue: int = 0
    moved: list[tuple[str, str]] = field(default_factory=list)
    """Virtual cluster and the target that its route had."""
    move_error: Exception | None = None
    standard: StandardInterceptors = lambda spec: ()  # noqa: ARG005
    editions: list[Edition] = field(default_factory=list)
    measured: Measures = field(default_factory=Measures)
    clients: dict[ClientKind, Clientele] = field(default_factory=dict)
    withheld: bool = False
    """Editions do not come into effect."""

    def __post_init__(self) -> None:
        self._maker = SnapshotMaker(self.standard, Armoury(arm))

    def cluster(self, name: str) -> MemoryCluster:
        return self.clusters.setdefault(name, MemoryCluster(name))

    @property
    def snapshot(self) -> Snapshot:
        return self.published[-1]

    def publish(self, edition: Edition) -> None:
        assert edition.version == len(self.editions) + 1
        self.editions.append(edition)
        self.published.append(self._maker.make(edition))

    async def in_effect(self, version: int) -> None:
        assert version <= len(self.editions)
        while self.withheld:  # noqa: ASYNC110 - what is waited for knows nothing of tests
            await trio.sleep(0.01)

    async def refresh(self) -> None:
        await trio.lowlevel.checkpoint()

    def held_fetches(self, virtual_cluster: str) -> list[Held]:
        return self._maker.held(virtual_cluster)

    def fault_counts(self, arming: int) -> FaultCounts:
        return self._maker.armoury.counts_of(arming)

    async def measures(self) -> Measures:
        await trio.lowlevel.checkpoint()
        return self.measured

    def workers(self) -> tuple[WorkerFacts, ...]:
        return (WorkerFacts(1, 4711, len(self.editions), 3, uptime=60.0, restarts=0),)

    def facts(self) -> GatewayFacts:
        route = self.snapshot.routes["orders"]
        return GatewayFacts(
            self.snapshot.version,
            {("orders", route.target.name, None): 1, ("orders", route.target.name, 7): 2},
            {route.target.name: ("an-id", {7: ("10.0.0.1", 9092), 17: ("10.0.0.1", 9093)})},
            {},
            tuple(door.address for door in self.snapshot.doors),
            self.clients,
        )

    def writes_in_flight(self, virtual_cluster: str) -> int:
        return self.writes if virtual_cluster == "orders" else 0

    def overdue_writes(self, virtual_cluster: str) -> int:
        return self.overdue if virtual_cluster == "orders" else 0

    async def move_clients(self, virtual_cluster: str) -> int:
        await trio.lowlevel.checkpoint()
        if self.move_error is not None:
            raise self.move_error
        self.moved.append((virtual_cluster, self.snapshot.routes[virtual_cluster].target.name))
        return 3

    @asynccontextmanager
    async def cluster_client(self, target: Target) -> AsyncIterator[MemoryCluster]:
        yield self.cluster(target.name)

    def in_step(self) -> None:
        """Give both clusters the same ten records, and a sync that says so."""
        primary, standby = self.cluster("primary"), self.cluster("standby")
        primary.logs["payments", 0] = (0, 10)
        standby.logs["payments", 0] = (0, 4)
        primary.add_sync("standby", "payments", 0, 8, 2)


def make_plane(world: World, text: str = ORDERS, *, state: StateDir | None = None, **changes: Any) -> ControlPlane:
    """Make a control plane over this world."""
    options: dict[str, Any] = {
        "data_path": world,
        "arm": arm,
        "clocks": Clocks(wall=lambda: WALL, monotonic=trio.current_time),
        "state": state,
        **changes,
    }
    return ControlPlane(declared(text), **options)


@asynccontextmanager
async def running_plane(world: World, text: str = ORDERS, **options: Any) -> AsyncIterator[ControlPlane]:
    """Run a control plane for the length of a block."""
    plane = make_plane(world, text, **options)
    async with trio.open_nursery() as nursery:
        await nursery.start(plane.run)
        yield plane
        nursery.cancel_scope.cancel()


async def serve_from(plane: ControlPlane, cluster: str) -> None:
    """Let another cluster serve orders, as a switchover does in the end."""
    await plane.commit(
        lambda kept: kept.with_serving("orders", cluster), then=lambda: plane.set_fences(["orders"], OPEN)
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; a test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of tests
        await trio.sleep(0.01)


def state_in(path: Path) -> StateDir:
    """Open a state directory; closed with the process at the latest."""
    return StateDir(path)
