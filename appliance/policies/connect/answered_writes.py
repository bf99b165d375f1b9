"""Answers to writes that no broker sees: one word for all that a request asks.

Knows the shapes of Produce and of the APIs of transactions in all versions; which word is right, who calls it knows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.exchange.message import Question
from appliance.wire.apis import Api
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.editing import string_at
from appliance.wire.walk import walk_of

BEGINS_BY_ITSELF = 12
"""The first version of Produce that adds its partitions to the transaction itself (KIP-890, part 2). Only clients that
know TRANSACTION_ABORTABLE use it in transactions."""
_BATCHED = 4
"""The first version of AddPartitionsToTxn that may speak of several transactions (KIP-890). It was made for brokers; a
client may use it for its own one (@platformatic/kafka does)."""
_FIRST_FLEXIBLE = {
    Api.PRODUCE: 9,
    Api.ADD_PARTITIONS_TO_TXN: 3,
    Api.ADD_OFFSETS_TO_TXN: 3,
    Api.END_TXN: 3,
    Api.TXN_OFFSET_COMMIT: 3,
}


def transactional_id_of(question: Question) -> str:
    """Return the request's transactional id; empty where it has none, or several as only brokers send them."""
    body, field = question.body, "transactional_id"
    if question.api_key == Api.ADD_PARTITIONS_TO_TXN:
        field = "v3_and_below_transactional_id" if question.api_version < _BATCHED else "transactions.transactional_id"
    places = walk_of(question.api_key, question.api_version, "request", (field,)).places(body, 0, len(body))
    compact = question.api_version >= _FIRST_FLEXIBLE[Api(question.api_key)]
    ids = {string_at(body, place.start, place.end, compact=compact) for place in places}
    return ids.pop() if len(ids) == 1 else ""


def answer_to(question: Question, code: ErrorCode) -> bytes:
    """Return the answer to a write that says this of every partition, or of all where there is no word for each."""
    api_key, api_version = question.api_key, question.api_version
    request: Any = decode(request_type(api_key, api_version), bytes(question.body))
    return encode(_answer(api_key, response_type(api_key, api_version), request, code))


def _answer(api_key: int, kind: Any, request: Any, code: ErrorCode) -> Any:
    if api_key == Api.PRODUCE:
        return kind(responses=_topics(kind, "responses", "partition_responses", request.topic_data, code))
    values: dict[str, Any] = {"throttle_time": timedelta()}
    if "results_by_topic_v3_and_below" in kind.__dataclass_fields__:
        outer = "results_by_topic_v3_and_below"
        values[outer] = _topics(kind, outer, "results_by_partition", request.v3_and_below_topics, code)
    elif "results_by_transaction" in kind.__dataclass_fields__:
        values |= {"error_code": code, "results_by_transaction": _transactions(kind, request, code)}
    elif api_key == Api.TXN_OFFSET_COMMIT:
        values["topics"] = _topics(kind, "topics", "partitions", request.topics, code)
    else:
        values["error_code"] = code
    return kind(**values)


def _transactions(kind: Any, request: Any, code: ErrorCode) -> tuple[Any, ...]:
    """Return what is said of each transaction: nothing beside an error that is said of all, as brokers do."""
    if code is not ErrorCode.none:
        return ()
    result, outer = element_type(kind, "results_by_transaction"), "topic_results"
    return tuple(
        result(
            transactional_id=each.transactional_id,
            topic_results=_topics(result, outer, "results_by_partition", each.topics, code),
        )
        for each in request.transactions
    )


def _topics(kind: Any, outer: str, inner: str, topics: Any, code: ErrorCode) -> tuple[Any, ...]:
    """Return the answer's topics: those of the request, each partition with the code."""
    topic_kind = element_type(kind, outer)
    partition_kind = element_type(topic_kind, inner)
    identity = "name" if "name" in topic_kind.__dataclass_fields__ else "topic_id"
    return tuple(
        topic_kind(
            **{
                identity: getattr(topic, identity),
                inner: tuple(_partition(partition_kind, each, code) for each in _partitions(topic)),
            }
        )
        for topic in topics
    )


def _partitions(topic: Any) -> list[int]:
    if hasattr(topic, "partition_data"):
        return [each.index for each in topic.partition_data]
    return [each if isinstance(each, int) else each.partition_index for each in topic.partitions]


def _partition(kind: Any, index: int, code: ErrorCode) -> Any:
    names = kind.__dataclass_fields__.keys()
    if "index" in names:
        values: dict[str, Any] = {"index": index, "error_code": code, "base_offset": -1}
        return kind(**values, **({"record_errors": ()} if "record_errors" in names else {}))
    name = "partition_error_code" if "partition_error_code" in names else "error_code"
    return kind(**{"partition_index": index, name: code})
