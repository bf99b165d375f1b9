"""Many connections, each with some work behind it, held open: what the gateway's memory is measured with.

Bare sockets, so that the number of connections is exact; a client library would open as many as it likes.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from typing import Any

import trio
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from kio.schema.api_versions.v3.request import ApiVersionsRequest
from kio.schema.metadata.v12.request import MetadataRequest, MetadataRequestTopic
from kio.schema.produce.v9.request import PartitionProduceData, ProduceRequest, TopicProduceData
from kio.schema.types import TopicName
from kio.static.primitive import Records, i16, i32, i32Timedelta

from appliance.wire.codec import decode, encode, response_type
from appliance.wire.headers import SIZE, request_frame, response_body

_PRODUCES = 10
_RECORDS = 60
"""Of 1 KiB in each Produce request."""


async def hold(bootstrap: str, topic: str, count: int, ready: Callable[[], None]) -> None:
    """Open `count` connections, spread over the partitions' leaders, and keep them; calls `ready` when all have worked.

    Each does ApiVersions, Metadata and some Produce (acks=all), all at once. Raises OSError.
    """
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as first:
        metadata = await _ask(first, _metadata(topic))
    brokers = {broker.node_id: (broker.host, broker.port) for broker in metadata.brokers}
    leaders = [(part.partition_index, brokers[part.leader_id]) for part in metadata.topics[0].partitions]
    streams: list[trio.SocketStream] = []
    async with trio.open_nursery(strict_exception_groups=False) as nursery:
        for number in range(count):
            nursery.start_soon(_work, streams, topic, *leaders[number % len(leaders)])
    ready()
    await trio.sleep_forever()


async def _work(streams: list[trio.SocketStream], topic: str, partition: int, address: tuple[str, int]) -> None:
    stream = await trio.open_tcp_stream(*address)
    streams.append(stream)
    await _ask(stream, ApiVersionsRequest(client_software_name="bench", client_software_version="1"))
    await _ask(stream, _metadata(topic))
    for _ in range(_PRODUCES):
        answer = await _ask(stream, _produce(topic, partition))
        code = answer.responses[0].partition_responses[0].error_code
        if code:
            raise OSError(f"Produce was answered with {code.name}")


async def _ask(stream: trio.SocketStream, question: Any) -> Any:
    api, version = question.__api_key__, question.__version__
    await stream.send_all(request_frame(api, version, 1, "bench", encode(question)))
    frame = bytearray()
    while len(frame) < SIZE.size or len(frame) < SIZE.size + SIZE.unpack_from(frame)[0]:
        data = await stream.receive_some()
        if not data:
            raise OSError("the connection was closed while an answer was due")
        frame += data
    return decode(response_type(api, version), bytes(frame[response_body(frame, 0, len(frame), api, version) :]))


def _metadata(topic: str) -> MetadataRequest:
    topics = (MetadataRequestTopic(topic_id=None, name=TopicName(topic)),)
    return MetadataRequest(topics=topics, include_topic_authorized_operations=False)


def _produce(topic: str, partition: int) -> ProduceRequest:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset in range(_RECORDS):
        builder.append(offset, 1_700_000_000_000, None, os.urandom(1024), [])
    data = PartitionProduceData(index=i32(partition), records=Records.parse(bytes(builder.build())))
    return ProduceRequest(
        acks=i16(-1),
        timeout=i32Timedelta.parse(datetime.timedelta(seconds=30)),
        topic_data=(TopicProduceData(name=TopicName(topic), partition_data=(data,)),),
    )
