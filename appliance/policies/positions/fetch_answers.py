"""Answers to Fetch in the broker's place: nothing new, or an error for every partition that was asked for."""

from __future__ import annotations

from typing import Any

from kio.schema.errors import ErrorCode

from appliance.exchange.empty_fetch import empty_fetch
from appliance.exchange.message import Question
from appliance.wire.apis import Api
from appliance.wire.codec import decode, element_type, request_type, response_type
from appliance.wire.editing import int_at
from appliance.wire.walk import walk_of

_FIRST_SESSIONS = 7


def max_wait_of(question: Question) -> float:
    """Return how many seconds the client lets a broker wait for records. Raises Malformed."""
    walk = walk_of(Api.FETCH, question.api_version, "request", ("max_wait",))
    (place,) = walk.places(question.body, 0, len(question.body))
    return int_at(question.body, place.start, place.end) / 1000


def no_records(question: Question, error: ErrorCode = ErrorCode.none) -> bytes:
    """Return the answer that there are no records.

    Within a fetch session (KIP-227) partitions that have nothing new are not named, so that an answer without any
    keeps the session as it is; an error ends it instead. Watermarks are -1, not known: clients keep what they had.
    Raises Malformed.
    """
    request = decode(request_type(Api.FETCH, question.api_version), bytes(question.body))
    if question.api_version >= _FIRST_SESSIONS and request.session_id and request.session_epoch > 0:
        session_error = ErrorCode.none if error is ErrorCode.none else ErrorCode.fetch_session_id_not_found
        return empty_fetch(question.api_version, request.session_id, session_error)
    topic_kind = element_type(response_type(Api.FETCH, question.api_version), "responses")
    partition_kind = element_type(topic_kind, "partitions")
    name = "topic_id" if "topic_id" in topic_kind.__dataclass_fields__ else "topic"
    topics = tuple(
        topic_kind(
            **{name: getattr(topic, name)},
            partitions=tuple(_nothing(partition_kind, each.partition, error) for each in topic.partitions),
        )
        for topic in request.topics
    )
    return empty_fetch(question.api_version, topics=topics)


def _nothing(kind: Any, index: int, error: ErrorCode) -> Any:
    values: dict[str, Any] = {
        "partition_index": index,
        "error_code": error,
        "high_watermark": -1,
        "records": b"",
    }
    if "last_stable_offset" in kind.__dataclass_fields__:
        values["last_stable_offset"] = -1
    if "aborted_transactions" in kind.__dataclass_fields__:
        values["aborted_transactions"] = None
    return kind(**values)
