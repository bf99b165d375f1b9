"""Produce and Fetch requests and answers, and faults to strike them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

from kio.schema.errors import ErrorCode

from appliance.chaos.faults import ArmedFault, arm
from appliance.exchange.message import Question
from appliance.exchange.topology import Knowledge
from appliance.resources.fault import FaultSpec
from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import encode, request_type, response_type
from tests.wire.messages import generated

TOPIC_IDS = {"orders": UUID(int=11), "payments": UUID(int=12)}


def versions_of(api: Api) -> range:
    """Return the versions that there are layouts for."""
    low, high = known_versions(api) or (0, -1)
    return range(low, high + 1)


PRODUCE_VERSIONS = versions_of(Api.PRODUCE)
FETCH_VERSIONS = versions_of(Api.FETCH)


def fault(**spec: Any) -> ArmedFault:
    """Arm a fault."""
    return arm("fault", FaultSpec.model_validate({"virtual_cluster": "orders", "duration": "1m", **spec}))


def knowledge() -> Knowledge:
    """Return what Metadata has taught."""
    known = Knowledge("primary")
    for name, topic_id in TOPIC_IDS.items():
        known.learn_topic(topic_id.bytes, name)
    return known


def asked(api: Api, version: int, request: Any, client_id: str = "app") -> Question:
    """Return the request as an interceptor sees it."""
    return Question(api, version, 1, client_id, encode(request), knowledge())


def _named(topic: Any, name: str) -> Any:
    fields = type(topic).__dataclass_fields__
    for field in ("name", "topic"):
        if field in fields:
            return replace(topic, **{field: name})
    return replace(topic, topic_id=TOPIC_IDS.get(name, UUID(int=99)))


def name_of(topic: Any) -> str:
    """Return a topic's name, whether the message has it or the id."""
    for field in ("name", "topic"):
        if hasattr(topic, field):
            return str(getattr(topic, field))
    return next(name for name, topic_id in TOPIC_IDS.items() if topic_id == topic.topic_id)


Partitions = dict[str, list[int]]


def records(topic: str, partition: int) -> bytes:
    """Return bytes that stand for a partition's batches."""
    return f"batches of {topic}-{partition} ".encode() * 20


def produce(version: int, partitions: Partitions, *, acks: int = -1) -> Any:
    """Return a Produce request."""
    message = generated(request_type(Api.PRODUCE, version), Random(version), full=True)
    topic = message.topic_data[0]
    part = topic.partition_data[0]
    topics = tuple(
        _named(
            replace(topic, partition_data=tuple(replace(part, index=i, records=records(name, i)) for i in indices)),
            name,
        )
        for name, indices in partitions.items()
    )
    return replace(message, acks=acks, topic_data=topics)


def produced(version: int, partitions: Partitions) -> Any:
    """Return the answer of a broker that appended to all these partitions."""
    message = generated(response_type(Api.PRODUCE, version), Random(version), full=True)
    topic = message.responses[0]
    part = replace(topic.partition_responses[0], error_code=ErrorCode.none, base_offset=100)
    topics = tuple(
        _named(replace(topic, partition_responses=tuple(replace(part, index=i) for i in indices)), name)
        for name, indices in partitions.items()
    )
    return replace(message, responses=topics)


def fetch(version: int, partitions: Partitions) -> Any:
    """Return a Fetch request."""
    message = generated(request_type(Api.FETCH, version), Random(version), full=True)
    topic = message.topics[0]
    part = topic.partitions[0]
    topics = tuple(
        _named(replace(topic, partitions=tuple(replace(part, partition=i) for i in indices)), name)
        for name, indices in partitions.items()
    )
    return replace(message, topics=topics)


def fetched(version: int, partitions: Partitions) -> Any:
    """Return the answer of a broker that has records in all these partitions."""
    message = generated(response_type(Api.FETCH, version), Random(version), full=True)
    topic = message.responses[0]
    part = replace(topic.partitions[0], error_code=ErrorCode.none)
    topics = tuple(
        _named(
            replace(
                topic, partitions=tuple(replace(part, partition_index=i, records=records(name, i)) for i in indices)
            ),
            name,
        )
        for name, indices in partitions.items()
    )
    errors = {"error_code": ErrorCode.none} if hasattr(message, "error_code") else {}
    return replace(message, responses=topics, **errors)
