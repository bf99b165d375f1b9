"""Which partitions a Produce or Fetch request is about."""

from __future__ import annotations

from functools import cache

from appliance.exchange.message import Question
from appliance.wire.apis import Api, request_header_version, understood
from appliance.wire.editing import int_at, string_at
from appliance.wire.walk import Walk, walk_of

PARTITIONED = frozenset({Api.PRODUCE, Api.FETCH})

_PATHS = {
    Api.PRODUCE: ("topic_data.name", "topic_data.topic_id", "topic_data.partition_data.index"),
    Api.FETCH: ("topics.topic", "topics.topic_id", "topics.partitions.partition"),
}


def has_partitions(api_key: int, api_version: int) -> bool:
    """Return whether `partitions_of` can read requests of this kind."""
    return api_key in PARTITIONED and understood(api_key, api_version)


@cache
def _walk(api_key: int, api_version: int) -> Walk:
    return walk_of(api_key, api_version, "request", _PATHS[Api(api_key)])


def partitions_of(question: Question) -> list[tuple[str | None, int]]:
    """Return topic and partition of each part of a Produce or Fetch request, in order; the topic is None where only
    its id is given and the id has not been seen in Metadata yet. Raises Malformed."""
    compact = request_header_version(question.api_key, question.api_version) == 2
    found: list[tuple[str | None, int]] = []
    topic: str | None = None
    for field, start, end in _walk(question.api_key, question.api_version).places(question.body, 0, len(question.body)):
        if field == 0:
            topic = string_at(question.body, start, end, compact=compact)
        elif field == 1:
            topic = question.knowledge.topic_name(bytes(question.body[start:end]))
        else:
            found.append((topic, int_at(question.body, start, end)))
    return found
