"""The gateway's own small Kafka client: what discovery, health and the switchover must ask of a cluster.

One connection per node, opened when needed; questions are asked one at a time. Not for bulk work. What is asked of
groups, transactions, settings and records has a file each beside this one (`client_groups`, ...); this one knows whom
to ask.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kio.schema.errors import ErrorCode

from appliance import __version__
from appliance.exchange.route import Target
from appliance.exchange.topology import HostPort, Node
from appliance.gateway import client_groups, client_records, client_settings, client_transactions
from appliance.gateway.client_groups import Commit, Group, Kind
from appliance.gateway.client_link import CLIENT_ID, Link
from appliance.gateway.client_records import KeyValue
from appliance.gateway.client_settings import AclEntry
from appliance.gateway.client_transactions import OpenTransaction
from appliance.gateway.credentials import OWN_NAME
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable
from appliance.wire.apis import Api
from appliance.wire.codec import element_type, request_type

__all__ = ["AclEntry", "ClusterClient", "ClusterFacts", "Commit", "Group", "KeyValue", "OpenTransaction", "open_client"]

_FIRST, _END = -2, -1
"""ListOffsets' timestamps for the first offset and for the one behind the last."""

Partition = tuple[str, int]


@dataclass(frozen=True)
class ClusterFacts:
    cluster_id: str
    brokers: Mapping[int, HostPort]
    controller_id: int


@asynccontextmanager
async def open_client(target: Target, dialer: Dialer, principal: str | None = OWN_NAME) -> AsyncIterator[ClusterClient]:
    """Open a client; its connections end with the block. `principal`: as `Dialer.dial` has it."""
    client = ClusterClient(target, dialer, principal)
    try:
        yield client
    finally:
        client.close()


class ClusterClient:
    """Made by `open_client`. Every method raises ClusterUnreachable, whose message names the cluster and what was
    tried."""

    def __init__(self, target: Target, dialer: Dialer, principal: str | None) -> None:
        self._target = target
        self._dialer = dialer
        self._principal = principal
        self._links: dict[HostPort, Link] = {}
        self._brokers: dict[int, HostPort] = {}
        self._leaders: dict[Partition, int] = {}
        self._coordinators: dict[tuple[Kind, str], int] = {}

    def close(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    # -- the cluster

    async def describe(self) -> ClusterFacts:
        """Ask which brokers there are."""
        answer = await self._metadata(())
        return ClusterFacts(answer.cluster_id or "", dict(self._brokers), answer.controller_id)

    async def offered(self) -> Any:
        """Return what a node says of its versions: kio's ApiVersionsResponse, of the newest version that both know."""

        def question(version: int) -> Any:
            kind = request_type(Api.API_VERSIONS, version)
            fields = {"client_software_name": CLIENT_ID, "client_software_version": __version__}
            return kind(**(fields if version >= 3 else {}))

        return await self.ask_any(Api.API_VERSIONS, question)

    async def nodes(self) -> tuple[str, list[Node]]:
        """Return the cluster's id and its brokers."""
        facts = await self.describe()
        return facts.cluster_id, [Node(node_id, *address) for node_id, address in facts.brokers.items()]

    async def api_versions(self) -> Mapping[int, tuple[int, int]]:
        """Return the versions (lowest, highest) of each API that every broker speaks."""
        common: dict[int, tuple[int, int]] = {}
        for position, ranges in enumerate([link.ranges for link in await self.links()]):
            if not position:
                common = dict(ranges)
                continue
            common = {
                key: (max(low, ranges[key][0]), min(high, ranges[key][1]))
                for key, (low, high) in common.items()
                if key in ranges
            }
        return common

    async def topics(self) -> Mapping[str, tuple[int, ...]]:
        """Return all topics with their partitions; internal topics are left out."""
        answer = await self._metadata(None)
        return {
            topic.name: tuple(sorted(partition.partition_index for partition in topic.partitions))
            for topic in answer.topics
            if topic.name is not None and not topic.is_internal and not topic.name.startswith("__")
        }

    async def topic_ids(self) -> Mapping[str, bytes]:
        """Return the ids of all topics, 16 bytes each; a cluster older than Kafka 2.8 has none."""
        answer = await self._metadata(None)
        return {
            topic.name: topic.topic_id.bytes
            for topic in answer.topics
            if topic.name is not None and getattr(topic, "topic_id", None)
        }

    async def leaderless(self) -> tuple[Partition, ...]:
        """Return the partitions that have no leader now."""
        answer = await self._metadata(None)
        return tuple(
            (topic.name, partition.partition_index)
            for topic in answer.topics
            for partition in topic.partitions
            if partition.leader_id < 0
        )

    # -- logs

    async def start_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        """Return the first offset of each partition."""
        return await self._offsets(topics, _FIRST)

    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        """Return the offset behind the last record of each partition."""
        return await self._offsets(topics, _END)

    async def data_end(self, topic: str, partition: int, start: int, end: int) -> int:
        """Return the offset behind the last record below `end` that is a user's: transaction markers are none."""
        return await client_records.data_end(self, topic, partition, start, end)

    async def offsets_since(self, topics: Mapping[str, Iterable[int]], timestamp: int) -> Mapping[Partition, int]:
        """Return the offset of each partition's first record that is not older than this (ms since 1970); -1: there is
        none."""
        return await self._offsets(topics, timestamp)

    async def records(self, topic: str, partition: int, from_offset: int) -> list[KeyValue]:
        """Return keys and values from an offset to the end as it is now; for small topics without compression."""
        end = (await self.end_offsets({topic: (partition,)}))[topic, partition]
        return await client_records.records(self, topic, partition, from_offset, end)

    async def write(self, topic: str, partition: int, value: bytes) -> int:
        """Append one record with acks=all and return its offset."""
        return await client_records.write(self, topic, partition, value)

    async def reads_at(self, topic: str, partition: int, offset: int) -> bool:
        """Return whether the record at this offset can be fetched."""
        return await client_records.reads_at(self, topic, partition, offset)

    # -- groups, transactions, settings

    async def groups(self) -> list[Group]:
        """Return all groups, with the members of classic ones."""
        return await client_groups.groups(self)

    async def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, Commit]]:
        """Return what groups have committed."""
        return await client_groups.committed(self, groups)

    async def commit(self, commits: Mapping[str, Mapping[Partition, Commit]]) -> Mapping[str, str]:
        """Commit for groups that have no members; return those that were refused something, with Kafka's error."""
        return await client_groups.commit(self, commits)

    async def coordinator(self, kind: Kind, key: str) -> int:
        """Return the node that coordinates a group or a transactional id."""
        return (await client_groups.coordinators(self, kind, (key,)))[key]

    async def open_transactions(self) -> list[OpenTransaction]:
        """Return the transactions that are neither committed nor aborted yet."""
        return await client_transactions.open_transactions(self)

    async def fence_transactional_id(self, transactional_id: str) -> None:
        """Abort what is open of a transactional id and lock its producer out, as its next instance would."""
        await client_transactions.fence(self, transactional_id)

    async def topic_configs(self, topics: Collection[str], names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return these settings of topics, defaults included."""
        return await client_settings.topic_configs(self, topics, names)

    async def acls(self) -> frozenset[AclEntry] | None:
        """Return all ACLs; None where the cluster has no authorizer."""
        return await client_settings.acls(self)

    # -- whom to ask; for the files beside this one

    async def links(self) -> list[Link]:
        """Return a connection to each broker."""
        await self._metadata(())
        return [await self._link(address) for address in self._brokers.values()]

    async def link_to(self, node_id: int) -> Link:
        """Return a connection to a broker."""
        if node_id not in self._brokers:
            await self._metadata(())
        if node_id not in self._brokers:
            raise ClusterUnreachable(f"cluster {self._target.name}: expected a broker {node_id}, there is none")
        return await self._link(self._brokers[node_id])

    async def leader(self, topic: str, partition: int) -> Link:
        """Return a connection to the leader of a partition."""
        if self._leaders.get((topic, partition), -1) < 0:
            await self._metadata(None)
        leader = self._leaders.get((topic, partition), -1)
        if leader < 0:
            raise ClusterUnreachable(f"cluster {self._target.name}: partition {topic}/{partition} has no leader")
        return await self.link_to(leader)

    def forget_leader(self, topic: str, partition: int) -> None:
        """Ask anew the next time: the leader was another one."""
        self._leaders.pop((topic, partition), None)

    def check(self, code: ErrorCode, what: str) -> None:
        """Raise ClusterUnreachable for an error code."""
        if code is not ErrorCode.none:
            raise ClusterUnreachable(f"cluster {self._target.name}: {what} was answered with {code.name.upper()}")

    async def ask_any(self, api: Api, question: Any, *, version: int | None = None) -> Any:
        """Ask whichever node answers: those that are connected, those that are known, then the bootstrap addresses.

        `question` makes the request from its version: the highest that both sides know, where none is given.
        """
        failures: list[str] = []
        for address in dict.fromkeys((*self._links, *self._brokers.values(), *self._target.bootstrap)):
            try:
                link = await self._link(address)
                asked = link.version(api) if version is None else version
                return await link.ask(api, question(asked), version=asked)
            except ClusterUnreachable as error:
                failures.append(str(error))
        raise ClusterUnreachable(f"cluster {self._target.name} cannot be reached: {'; '.join(failures)}")

    async def _metadata(self, topics: tuple[str, ...] | None) -> Any:
        def question(version: int) -> Any:
            kind = request_type(Api.METADATA, version)
            names = kind.__dataclass_fields__.keys()
            values: dict[str, Any] = {"topics": None if topics is None else ()}
            for optional in (
                "allow_auto_topic_creation",
                "include_cluster_authorized_operations",
                "include_topic_authorized_operations",
            ):
                if optional in names:
                    values[optional] = False
            return kind(**values)

        answer = await self.ask_any(Api.METADATA, question)
        self._brokers = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
        for topic in answer.topics:
            for partition in topic.partitions:
                self._leaders[topic.name, partition.partition_index] = partition.leader_id
        return answer

    async def _offsets(self, topics: Mapping[str, Iterable[int]], timestamp: int) -> Mapping[Partition, int]:
        wanted = [(topic, partition) for topic, partitions in topics.items() for partition in partitions]
        await self._metadata(None)
        by_leader: dict[int, dict[str, list[int]]] = {}
        for topic, partition in wanted:
            leader = self._leaders.get((topic, partition), -1)
            if leader < 0:
                raise ClusterUnreachable(f"cluster {self._target.name}: partition {topic}/{partition} has no leader")
            by_leader.setdefault(leader, {}).setdefault(topic, []).append(partition)
        found: dict[Partition, int] = {}
        for leader, its_topics in by_leader.items():
            found.update(await self._offsets_of(leader, its_topics, timestamp))
        return found

    async def _offsets_of(
        self, leader: int, topics: Mapping[str, list[int]], timestamp: int
    ) -> Mapping[Partition, int]:
        link = await self._link(self._brokers[leader])
        version = link.version(Api.LIST_OFFSETS)
        kind = request_type(Api.LIST_OFFSETS, version)
        topic_kind = element_type(kind, "topics")
        partition_kind = element_type(topic_kind, "partitions")
        asked = tuple(
            topic_kind(
                name=name,
                partitions=tuple(partition_kind(partition_index=each, timestamp=timestamp) for each in partitions),
            )
            for name, partitions in topics.items()
        )
        values: dict[str, Any] = {"replica_id": -1, "topics": asked}
        if version >= 2:
            values["isolation_level"] = 0
        answer = await link.ask(Api.LIST_OFFSETS, kind(**values))
        found = {}
        for topic in answer.topics:
            for partition in topic.partitions:
                self.check(partition.error_code, f"ListOffsets of {topic.name}/{partition.partition_index}")
                found[topic.name, partition.partition_index] = partition.offset
        return found

    async def _link(self, address: HostPort) -> Link:
        link = self._links.get(address)
        if link is None or link.closed:
            link = self._links[address] = await Link.open(self._dialer, self._target, *address, self._principal)
        return link
