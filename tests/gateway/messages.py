"""Kafka messages for the tests of the gateway, as bytes.

Written and read with kio, so that the product's own walks and headers do not check themselves.
"""

from __future__ import annotations

import datetime
import io
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from kio.schema.api_versions.v0 import response as versions_v0
from kio.schema.api_versions.v3 import request as versions_request
from kio.schema.api_versions.v3 import response as versions_v3
from kio.schema.errors import ErrorCode
from kio.schema.fetch.v17 import response as fetch_v17
from kio.schema.metadata.v9 import request as metadata_request
from kio.schema.metadata.v9 import response as metadata_v9
from kio.schema.metadata.v13 import request as metadata_v13_request
from kio.schema.metadata.v13 import response as metadata_v13
from kio.schema.produce.v11 import request as produce_request
from kio.schema.produce.v11 import response as produce_v11
from kio.schema.types import BrokerId, TopicName
from kio.serial import entity_reader, entity_writer
from kio.static.primitive import Records, i16, i32, i32Timedelta, i64

PRODUCE, FETCH, METADATA, LIST_GROUPS, API_VERSIONS = 0, 1, 3, 16, 18
PRODUCE_VERSION, FETCH_VERSION, METADATA_VERSION = 11, 17, 9
_AT_ONCE = i32Timedelta.parse(datetime.timedelta())

Broker = TypeVar("Broker")
Nodes = Mapping[int, tuple[str, int]]
"""Node id -> host and port."""


def bytes_of(message: Any) -> bytes:
    """Return the bytes of a kio message."""
    out = io.BytesIO()
    entity_writer(type(message))(out, message)
    return out.getvalue()


class Request(NamedTuple):
    """A request frame; flexible where its API version is (all that the tests send are, but ApiVersions below 3)."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str
    body: bytes
    frame: bytes

    @property
    def flexible(self) -> bool:
        return not (self.api_key == API_VERSIONS and self.api_version < 3)

    @property
    def flexible_answer(self) -> bool:
        return self.api_key != API_VERSIONS  # KIP-511


def request(api_key: int, api_version: int, correlation_id: int, body: bytes, client_id: str = "tester") -> bytes:
    """Return a whole request frame."""
    name = client_id.encode()
    tags = b"" if api_key == API_VERSIONS and api_version < 3 else b"\0"
    message = struct.pack(">hhih", api_key, api_version, correlation_id, len(name)) + name + tags + body
    return struct.pack(">i", len(message)) + message


def parsed_request(frame: bytes) -> Request:
    """Take a whole request frame apart."""
    api_key, api_version, correlation_id, length = struct.unpack_from(">hhih", frame, 4)
    at = 14 + max(length, 0)
    client_id = frame[14:at].decode(errors="replace")
    if not (api_key == API_VERSIONS and api_version < 3):
        at += 1
    return Request(api_key, api_version, correlation_id, client_id, frame[at:], frame)


def response(correlation_id: int, body: bytes, *, flexible: bool = True) -> bytes:
    """Return a whole response frame."""
    message = struct.pack(">i", correlation_id) + (b"\0" if flexible else b"") + body
    return struct.pack(">i", len(message)) + message


# -- requests


def metadata(correlation_id: int, client_id: str = "tester", *, topics: Iterable[str] = ()) -> bytes:
    """Return a Metadata request for these topics."""
    body = metadata_request.MetadataRequest(
        topics=tuple(metadata_request.MetadataRequestTopic(name=TopicName(each)) for each in topics),
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=False,
    )
    return request(METADATA, METADATA_VERSION, correlation_id, bytes_of(body), client_id)


def newer_metadata(correlation_id: int) -> bytes:
    """Return a Metadata request of the first version whose answer has an error of its own (KIP-1102)."""
    body = metadata_v13_request.MetadataRequest(
        topics=(), allow_auto_topic_creation=False, include_topic_authorized_operations=False
    )
    return request(METADATA, 13, correlation_id, bytes_of(body))


def produce(
    correlation_id: int,
    records: bytes = b"records",
    *,
    acks: int = -1,
    client_id: str = "tester",
    topic: str = "orders",
) -> bytes:
    """Return a Produce request; what is in the records, the gateway does not care."""
    partition = produce_request.PartitionProduceData(index=i32(0), records=Records(records))
    body = produce_request.ProduceRequest(
        transactional_id=None,
        acks=i16(acks),
        timeout=_AT_ONCE,
        topic_data=(produce_request.TopicProduceData(name=TopicName(topic), partition_data=(partition,)),),
    )
    return request(PRODUCE, PRODUCE_VERSION, correlation_id, bytes_of(body), client_id)


def fetch(correlation_id: int) -> bytes:
    """Return a Fetch request; what it asks for, the gateway does not care."""
    return request(FETCH, FETCH_VERSION, correlation_id, bytes(50))


def hello(correlation_id: int) -> bytes:
    """Return an ApiVersions request (version 3) of a client that says what software it is."""
    body = versions_request.ApiVersionsRequest(client_software_name="tester", client_software_version="1.0")
    return request(API_VERSIONS, 3, correlation_id, bytes_of(body))


def opaque(correlation_id: int, body: bytes = b"\0\0\0\0") -> bytes:
    """Return a request of an API that the gateway never looks into."""
    return request(LIST_GROUPS, 4, correlation_id, body)


# -- responses' bodies


def offered_versions(ranges: Iterable[tuple[int, int, int]], api_version: int = 0) -> bytes:
    """Return an ApiVersions answer (in version 0 or 3) that offers these ranges."""
    if api_version == 0:
        return bytes_of(
            versions_v0.ApiVersionsResponse(
                error_code=ErrorCode.none,
                api_keys=tuple(
                    versions_v0.ApiVersion(api_key=i16(key), min_version=i16(low), max_version=i16(high))
                    for key, low, high in ranges
                ),
            )
        )
    return bytes_of(
        versions_v3.ApiVersionsResponse(
            error_code=ErrorCode.none,
            throttle_time=_AT_ONCE,
            api_keys=tuple(
                versions_v3.ApiVersion(api_key=i16(key), min_version=i16(low), max_version=i16(high))
                for key, low, high in ranges
            ),
        )
    )


def versions_in(body: bytes) -> dict[int, tuple[int, int]]:
    """Return the ranges that an ApiVersions answer of version 0 offers, by API key."""
    answer, _ = entity_reader(versions_v0.ApiVersionsResponse)(body, 0)
    return {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}


def metadata_answer(nodes: Nodes, cluster_id: str = "cluster-of-the-tests") -> bytes:
    """Return the body of a Metadata response."""
    return bytes_of(
        metadata_v9.MetadataResponse(
            throttle_time=_AT_ONCE,
            brokers=_brokers(metadata_v9.MetadataResponseBroker, nodes),
            cluster_id=cluster_id,
            controller_id=BrokerId(min(nodes)),
            topics=(),
            cluster_authorized_operations=i32(0),
        )
    )


def _brokers(kind: Callable[..., Broker], nodes: Nodes) -> tuple[Broker, ...]:
    """Return the brokers of a Metadata response, in the type that its version has for them."""
    return tuple(
        kind(node_id=BrokerId(node_id), host=host, port=i32(port), rack=None) for node_id, (host, port) in nodes.items()
    )


def newer_metadata_answer(nodes: Nodes) -> bytes:
    """Return the body of an answer to `newer_metadata`."""
    return bytes_of(
        metadata_v13.MetadataResponse(
            throttle_time=_AT_ONCE,
            brokers=_brokers(metadata_v13.MetadataResponseBroker, nodes),
            cluster_id="c",
            controller_id=BrokerId(min(nodes)),
            topics=(),
            error_code=ErrorCode.none,
        )
    )


def error_in_newer_metadata(body: bytes) -> ErrorCode:
    """Return the error of such an answer."""
    answer, _ = entity_reader(metadata_v13.MetadataResponse)(body, 0)
    return answer.error_code


def brokers_in(body: bytes) -> dict[int, tuple[str, int]]:
    """Return the brokers in the body of a Metadata response."""
    answer, _ = entity_reader(metadata_v9.MetadataResponse)(body, 0)
    return {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}


def produce_answer(nodes: Nodes | None = None) -> bytes:
    """Return the body of a Produce response; with nodes, one that says where the leader is now (KIP-951)."""
    endpoints = tuple(
        produce_v11.NodeEndpoint(node_id=BrokerId(node_id), host=host, port=i32(port), rack=None)
        for node_id, (host, port) in (nodes or {}).items()
    )
    return bytes_of(
        produce_v11.ProduceResponse(
            responses=(
                produce_v11.TopicProduceResponse(
                    name=TopicName("orders"),
                    partition_responses=(
                        produce_v11.PartitionProduceResponse(
                            index=i32(0),
                            error_code=ErrorCode.not_leader_or_follower if nodes else ErrorCode.none,
                            base_offset=i64(0),
                            log_append_time=None,
                            record_errors=(),
                            error_message=None,
                        ),
                    ),
                ),
            ),
            throttle_time=_AT_ONCE,
            node_endpoints=endpoints,
        )
    )


def endpoints_in_produce(body: bytes) -> dict[int, tuple[str, int]]:
    """Return the node endpoints in the body of a Produce response."""
    answer, _ = entity_reader(produce_v11.ProduceResponse)(body, 0)
    return {each.node_id: (each.host, each.port) for each in answer.node_endpoints}


def fetch_answer(records: bytes, nodes: Nodes | None = None) -> bytes:
    """Return the body of a Fetch response."""
    endpoints = tuple(
        fetch_v17.NodeEndpoint(node_id=BrokerId(node_id), host=host, port=i32(port), rack=None)
        for node_id, (host, port) in (nodes or {}).items()
    )
    return bytes_of(
        fetch_v17.FetchResponse(
            throttle_time=_AT_ONCE,
            error_code=ErrorCode.none,
            session_id=i32(0),
            responses=(
                fetch_v17.FetchableTopicResponse(
                    topic_id=uuid.UUID(int=1),
                    partitions=(
                        fetch_v17.PartitionData(
                            partition_index=i32(0),
                            error_code=ErrorCode.none,
                            high_watermark=i64(1),
                            aborted_transactions=None,
                            records=Records(records),
                        ),
                    ),
                ),
            ),
            node_endpoints=endpoints,
        )
    )


def endpoints_in_fetch(body: bytes) -> dict[int, tuple[str, int]]:
    """Return the node endpoints in the body of a Fetch response."""
    answer, _ = entity_reader(fetch_v17.FetchResponse)(body, 0)
    return {each.node_id: (each.host, each.port) for each in answer.node_endpoints}


def topics_in_fetch(body: bytes) -> int:
    """Return how many topics the body of a Fetch response says something of."""
    answer, _ = entity_reader(fetch_v17.FetchResponse)(body, 0)
    assert answer.error_code is ErrorCode.none
    return len(answer.responses)
