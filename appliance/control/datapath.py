"""What control needs of the gateway. `gateway.server.Gateway` is it; tests hand in a small one in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from appliance.exchange.snapshot import Snapshot, Target
from appliance.gateway.client import ClusterFacts, KeyValue
from appliance.gateway.server import GatewayFacts

Partition = tuple[str, int]
"""Topic and number."""


class ClusterView(Protocol):
    """A Kafka client of the gateway's own. Every method raises ClusterUnreachable."""

    async def describe(self) -> ClusterFacts: ...
    async def topics(self) -> Mapping[str, tuple[int, ...]]: ...
    async def leaderless(self) -> Sequence[Partition]: ...
    async def start_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]: ...
    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]: ...
    async def offsets_since(self, topics: Mapping[str, Iterable[int]], timestamp: int) -> Mapping[Partition, int]: ...
    async def records(self, topic: str, partition: int, from_offset: int) -> Sequence[KeyValue]: ...


class DataPath(Protocol):
    """The gateway, as far as control drives it."""

    def facts(self) -> GatewayFacts: ...
    def writes_in_flight(self, virtual_cluster: str) -> int: ...
    async def move_clients(self, virtual_cluster: str) -> int: ...
    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterView]: ...


class Feed(Protocol):
    """Where snapshots are published; `gateway.feed.SnapshotFeed` is it."""

    def publish(self, snapshot: Snapshot) -> None: ...
