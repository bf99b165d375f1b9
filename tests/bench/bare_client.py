"""A Kafka client of bare sockets: one question, one answer, and the number of connections exact.

A client library would open as many connections as it likes, and cost more than what is measured.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
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

Address = tuple[str, int]
_CHUNK = 64 * 1024


def frame_of(question: Any) -> bytes:
    """Return a request as it goes over the wire; it may be sent as often as one likes."""
    return request_frame(question.__api_key__, question.__version__, 1, "bench", encode(question))


async def ask(stream: trio.SocketStream, question: Any) -> Any:
    """Send a request and return its answer, decoded. Raises OSError."""
    await send(stream, frame_of(question))
    api, version = question.__api_key__, question.__version__
    frame = await receive(stream)
    return decode(response_type(api, version), bytes(frame[response_body(frame, 0, len(frame), api, version) :]))


async def send(stream: trio.SocketStream, frame: bytes) -> None:
    """Send a request. Raises OSError."""
    with _broken_is_an_os_error():
        await stream.send_all(frame)


async def receive(stream: trio.SocketStream) -> bytearray:
    """Return the next answer, whole. Raises OSError where the connection ends first."""
    frame = bytearray()
    while len(frame) < SIZE.size or len(frame) < SIZE.size + SIZE.unpack_from(frame)[0]:
        with _broken_is_an_os_error():
            data = await stream.receive_some(_CHUNK)
        if not data:
            raise OSError("the connection was closed while an answer was due")
        frame += data
    return frame


@contextmanager
def _broken_is_an_os_error() -> Iterator[None]:
    try:
        yield
    except trio.BrokenResourceError as error:
        raise OSError(str(error)) from error


async def leaders(bootstrap: str, topic: str) -> list[tuple[int, Address]]:
    """Return the topic's partitions and where their leaders are. Raises OSError."""
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        answer = await ask(stream, metadata(topic))
    brokers = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
    return [(part.partition_index, brokers[part.leader_id]) for part in answer.topics[0].partitions]


def hello() -> ApiVersionsRequest:
    """Return what every client says first."""
    return ApiVersionsRequest(client_software_name="bench", client_software_version="1")


def metadata(topic: str) -> MetadataRequest:
    """Return the question where a topic's leaders are."""
    topics = (MetadataRequestTopic(topic_id=None, name=TopicName(topic)),)
    return MetadataRequest(topics=topics, include_topic_authorized_operations=False)


def produce(topic: str, partition: int, *, records: int, size: int) -> ProduceRequest:
    """Return one batch of random records, acks=all."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 16 << 20)
    for offset in range(records):
        builder.append(offset, 1_700_000_000_000, None, os.urandom(size), [])
    data = PartitionProduceData(index=i32(partition), records=Records.parse(bytes(builder.build())))
    return ProduceRequest(
        acks=i16(-1),
        timeout=i32Timedelta.parse(datetime.timedelta(seconds=30)),
        topic_data=(TopicProduceData(name=TopicName(topic), partition_data=(data,)),),
    )


def refusal(answer: Any) -> str | None:
    """Return the name of the error with which a Produce request was answered, None if it was taken."""
    code = answer.responses[0].partition_responses[0].error_code
    return str(code.name) if code else None
