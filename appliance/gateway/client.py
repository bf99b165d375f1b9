"""The gateway's own small Kafka client: what discovery, health and the switchover must ask of a cluster.

One connection per node, opened when needed; questions are asked one at a time. Not for bulk work.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import trio
from kio.records.readers import read_batch
from kio.schema.errors import ErrorCode
from kio.serial.errors import SerialError

from appliance import __version__
from appliance.exchange.route import Target
from appliance.exchange.topology import HostPort, Node
from appliance.gateway.channel import Channel, receive_exactly, send_all
from appliance.gateway.credentials import OWN_NAME
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable, NotLoggedIn, TlsUnusable
from appliance.wire.apis import Api, name_of
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, SIZE, request_frame, response_body

_CLIENT_ID = "tidegate"
_LONGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
_WIDEST = {Api.METADATA: 12, Api.LIST_OFFSETS: 7, Api.FETCH: 12, Api.API_VERSIONS: 3}
"""The versions that this client writes; a broker that knows only older ones is asked in its own."""
_FIRST, _END = -2, -1
"""ListOffsets' timestamps for the first offset and for the one behind the last."""
_FETCH_BYTES = 4 * 1024 * 1024

Partition = tuple[str, int]


@dataclass(frozen=True)
class ClusterFacts:
    cluster_id: str
    brokers: Mapping[int, HostPort]
    controller_id: int


class KeyValue(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


@asynccontextmanager
async def open_client(target: Target, dialer: Dialer) -> AsyncIterator[ClusterClient]:
    """Open a client; its connections end with the block."""
    client = ClusterClient(target, dialer)
    try:
        yield client
    finally:
        client.close()


class ClusterClient:
    """Made by `open_client`. Every method raises ClusterUnreachable, whose message names the cluster and what was
    tried."""

    def __init__(self, target: Target, dialer: Dialer) -> None:
        self._target = target
        self._dialer = dialer
        self._links: dict[HostPort, _Link] = {}
        self._brokers: dict[int, HostPort] = {}
        self._leaders: dict[Partition, int] = {}

    def close(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    async def describe(self) -> ClusterFacts:
        """Ask which brokers there are."""
        answer = await self._metadata(())
        return ClusterFacts(answer.cluster_id or "", dict(self._brokers), answer.controller_id)

    async def offered(self) -> Any:
        """Return what a node says of its versions: kio's ApiVersionsResponse, of the newest version that both know."""

        def question(version: int) -> Any:
            kind = request_type(Api.API_VERSIONS, version)
            fields = {"client_software_name": _CLIENT_ID, "client_software_version": __version__}
            return kind(**(fields if version >= 3 else {}))

        return await self._ask_any(Api.API_VERSIONS, question)

    async def nodes(self) -> tuple[str, list[Node]]:
        """Return the cluster's id and its brokers."""
        facts = await self.describe()
        return facts.cluster_id, [Node(node_id, *address) for node_id, address in facts.brokers.items()]

    async def topics(self) -> Mapping[str, tuple[int, ...]]:
        """Return all topics with their partitions; internal topics are left out."""
        answer = await self._metadata(None)
        return {
            topic.name: tuple(sorted(partition.partition_index for partition in topic.partitions))
            for topic in answer.topics
            if topic.name is not None and not topic.is_internal and not topic.name.startswith("__")
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

    async def start_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        """Return the first offset of each partition."""
        return await self._offsets(topics, _FIRST)

    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:
        """Return the offset behind the last record of each partition."""
        return await self._offsets(topics, _END)

    async def records(self, topic: str, partition: int, from_offset: int) -> list[KeyValue]:
        """Return keys and values from an offset to the end as it is now; for small topics without compression."""
        end = (await self.end_offsets({topic: (partition,)}))[topic, partition]
        found: list[KeyValue] = []
        while from_offset < end:
            batches = await self._fetch(topic, partition, from_offset)
            if not batches:
                break
            fresh = [each for each in batches if each.offset >= from_offset]
            found += fresh
            from_offset = max((each.offset for each in fresh), default=end) + 1
        return found

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

        answer = await self._ask_any(Api.METADATA, question)
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
                self._check(partition.error_code, f"ListOffsets of {topic.name}/{partition.partition_index}")
                found[topic.name, partition.partition_index] = partition.offset
        return found

    async def _fetch(self, topic: str, partition: int, offset: int) -> list[KeyValue]:
        link = await self._link(self._brokers[self._leaders[topic, partition]])
        version = link.version(Api.FETCH)
        kind = request_type(Api.FETCH, version)
        topic_kind = element_type(kind, "topics")
        partition_kind = element_type(topic_kind, "partitions")
        wanted = partition_kind(partition=partition, fetch_offset=offset, partition_max_bytes=_FETCH_BYTES)
        answer = await link.ask(
            Api.FETCH,
            kind(
                replica_id=-1,
                max_wait=datetime.timedelta(milliseconds=500),
                min_bytes=1,
                max_bytes=_FETCH_BYTES,
                topics=(topic_kind(topic=topic, partitions=(wanted,)),),
                forgotten_topics_data=(),
            ),
        )
        found: list[KeyValue] = []
        for each in answer.responses:
            for part in each.partitions:
                self._check(part.error_code, f"Fetch of {topic}/{partition}")
                found += _records(part.records or b"")
        return found

    def _check(self, code: ErrorCode, what: str) -> None:
        if code is not ErrorCode.none:
            raise ClusterUnreachable(f"cluster {self._target.name}: {what} was answered with {code.name.upper()}")

    async def _ask_any(self, api: Api, question: Any) -> Any:
        """Ask whichever node answers: those that are connected, those that are known, then the bootstrap addresses."""
        failures: list[str] = []
        for address in dict.fromkeys((*self._links, *self._brokers.values(), *self._target.bootstrap)):
            try:
                link = await self._link(address)
                return await link.ask(api, question(link.version(api)))
            except ClusterUnreachable as error:
                failures.append(str(error))
        raise ClusterUnreachable(f"cluster {self._target.name} cannot be reached: {'; '.join(failures)}")

    async def _link(self, address: HostPort) -> _Link:
        link = self._links.get(address)
        if link is None or link.closed:
            link = self._links[address] = await _Link.open(self._dialer, self._target, *address)
        return link


class _Link:
    """A connection to one node."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._correlation_id = 0
        self._ranges: dict[int, tuple[int, int]] = {}
        self.closed = False

    @classmethod
    async def open(cls, dialer: Dialer, target: Target, host: str, port: int) -> _Link:
        name = f"{host}:{port}"
        try:
            dialled = await dialer.dial(target, host, port, seconds=_CONNECT_SECONDS, principal=OWN_NAME)
        except (OSError, TlsUnusable, NotLoggedIn) as error:
            raise ClusterUnreachable(f"{name}: {_reason(error)}") from error
        link = cls(dialled.channel, name)
        try:
            answer = await link.ask(Api.API_VERSIONS, request_type(Api.API_VERSIONS, 0)(), version=0)
        except BaseException:
            link.close()
            raise
        link._ranges = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
        return link

    def version(self, api: Api) -> int:
        """Return the highest version that both sides know. Raises ClusterUnreachable where there is none."""
        low, high = self._ranges.get(api, (0, -1))
        if high < low or low > _WIDEST[api]:
            raise ClusterUnreachable(f"{self._name}: no common version of {name_of(api)} (it offers {low} to {high})")
        return min(high, _WIDEST[api])

    async def ask(self, api: Api, question: Any, *, version: int | None = None) -> Any:
        version = self.version(api) if version is None else version
        self._correlation_id += 1
        frame = request_frame(api, version, self._correlation_id, _CLIENT_ID, encode(question))
        try:
            with trio.fail_after(_ANSWER_SECONDS):
                await send_all(self._channel, [frame])
                size = SIZE.unpack(await receive_exactly(self._channel, SIZE.size))[0]
                if not 0 <= size <= _LONGEST_ANSWER:
                    raise OSError(f"expected a Kafka answer, found a frame of {size} bytes")
                answer = await receive_exactly(self._channel, size)
        except trio.TooSlowError:
            self.close()
            raise ClusterUnreachable(
                f"{self._name}: no answer to {name_of(api)} within {_ANSWER_SECONDS:g} s"
            ) from None
        except (OSError, EOFError) as error:
            self.close()
            raise ClusterUnreachable(f"{self._name}: {_reason(error)}") from error
        whole = SIZE.pack(size) + answer
        try:
            if RESPONSE_HEAD.unpack_from(whole)[1] != self._correlation_id:
                raise Malformed(f"the answer is not to request {self._correlation_id}")
            return decode(response_type(api, version), whole[response_body(whole, 0, len(whole), api, version) :])
        except Malformed as error:
            self.close()
            raise ClusterUnreachable(f"{self._name}: its answer to {name_of(api)} cannot be read: {error}") from error

    def close(self) -> None:
        self.closed = True
        self._channel.close()


def _records(batches: bytes) -> list[KeyValue]:
    found: list[KeyValue] = []
    at = 0
    while at < len(batches):
        try:
            batch, size = read_batch(batches, at)
        except (SerialError, ValueError, IndexError):
            break  # a batch that was cut at the end of the answer
        at += size
        found += [KeyValue(record.offset, record.key, record.value) for record in batch.records]
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the connection was closed"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
