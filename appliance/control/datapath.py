"""What control needs of the gateway: `one_process.OneProcess` is it for one process, `fleet` for several; tests hand in
a small one in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from appliance.control.armoury import FaultCounts
from appliance.control.edition import Edition
from appliance.exchange.measures import Measures
from appliance.exchange.route import Target
from appliance.gateway.client import AclEntry, ClusterFacts, Commit, Group, KeyValue, OpenTransaction
from appliance.gateway.server import GatewayFacts
from appliance.policies.positions.hold_fetch import Held

Partition = tuple[str, int]
"""Topic and number."""


class ClusterView(Protocol):
    """A Kafka client of the gateway's own. Every method raises ClusterUnreachable."""

    async def describe(self) -> ClusterFacts: ...
    async def api_versions(self) -> Mapping[int, tuple[int, int]]: ...
    async def topics(self) -> Mapping[str, tuple[int, ...]]: ...
    async def topic_ids(self) -> Mapping[str, bytes]: ...
    async def leaderless(self) -> Sequence[Partition]: ...
    async def start_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]: ...
    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]: ...
    async def data_end(self, topic: str, partition: int, start: int, end: int) -> int: ...
    async def offsets_since(self, topics: Mapping[str, Iterable[int]], timestamp: int) -> Mapping[Partition, int]: ...
    async def records(self, topic: str, partition: int, from_offset: int) -> Sequence[KeyValue]: ...
    async def write(self, topic: str, partition: int, value: bytes) -> int: ...
    async def reads_at(self, topic: str, partition: int, offset: int) -> bool: ...
    async def groups(self) -> Sequence[Group]: ...
    async def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, Commit]]: ...
    async def commit(self, commits: Mapping[str, Mapping[Partition, Commit]]) -> Mapping[str, str]: ...
    async def coordinator(self, kind: Literal["group", "transaction"], key: str) -> int: ...
    async def open_transactions(self) -> Sequence[OpenTransaction]: ...
    async def fence_transactional_id(self, transactional_id: str) -> None: ...
    async def topic_configs(
        self, topics: Collection[str], names: Collection[str]
    ) -> Mapping[str, Mapping[str, str]]: ...
    async def acls(self) -> frozenset[AclEntry] | None: ...


@dataclass(frozen=True)
class WorkerFacts:
    """A process that serves clients."""

    number: int
    """From 1 on; a worker that takes a dead one's place takes its number."""
    pid: int | None
    """None: it is dead, and will be replaced."""
    edition: int
    """Version of the edition in effect; 0: none yet."""
    connections: int
    uptime: float
    """Seconds."""
    restarts: int
    """How often its predecessors died."""
    silence: float = 0.0
    """Seconds since it, or its data path, has last shown that it turns."""


class DataPath(Protocol):
    """The gateway, as far as control drives it; in one process or in several."""

    def publish(self, edition: Edition) -> None:
        """Hand out an edition; it comes into effect at once or soon."""

    async def in_effect(self, version: int) -> None:
        """Wait until every process that serves clients does so by this edition or a later one."""

    async def refresh(self) -> None:
        """Bring what the methods below tell up to now; what does not answer in time stays as it was last told."""

    def facts(self) -> GatewayFacts:
        """Return what the gateway does; `snapshot_version` is the lowest edition in effect."""

    def writes_in_flight(self, virtual_cluster: str) -> int:
        """Return how many writes went upstream and have no answer yet.

        Once a fence is in effect, 0 means that nothing more will come.
        """

    def overdue_writes(self, virtual_cluster: str) -> int:
        """Return how many connections have writes that were held when another cluster came to serve, and are still to
        be written there by the gateway."""

    def held_fetches(self, virtual_cluster: str) -> list[Held]:
        """Return the clients whose Fetch is held since the last switch."""

    def fault_counts(self, arming: int) -> FaultCounts:
        """Return what a fault has counted, by its arming."""

    async def measures(self) -> Measures:
        """Return what has been counted since the start, in all processes; counters never go back."""

    def workers(self) -> tuple[WorkerFacts, ...]:
        """Return the processes that serve clients, by number."""

    async def move_clients(self, virtual_cluster: str) -> int:
        """Close the connections to clusters that do not serve any more; return how many. Raises ClusterUnreachable."""

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterView]:
        """Open a client of the gateway's own to this cluster."""
