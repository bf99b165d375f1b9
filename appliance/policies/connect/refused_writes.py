"""Writes that are answered with a retriable error instead of being held at the fence of a switchover.

Which error: one that every library takes for "not appended, learn anew whom to ask, send again in the same order".

 - Produce: NOT_LEADER_OR_FOLLOWER. It is in the retriable set of all libraries (PROTOCOL.md section 4), a broker gives
   it before anything is appended, and none counts it as possibly persisted: idempotent producers put the batch back in
   its sequence and keep their epoch. librdkafka does not count it against `retries`, Java only against
   `delivery.timeout.ms`. Rejected: REQUEST_TIMED_OUT (possibly appended: a producer without idempotence may double),
   NOT_ENOUGH_REPLICAS (librdkafka counts it against `retries`, and no library looks for another leader),
   THROTTLING_QUOTA_EXCEEDED and BROKER_NOT_AVAILABLE (not retriable in Java's producer).
 - Transactions: COORDINATOR_LOAD_IN_PROGRESS, which AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit and EndTxn
   all may answer, and after which Java and librdkafka ask the same coordinator again, with the transaction as it is.
   Rejected: NOT_COORDINATOR (a storm of FindCoordinator) and CONCURRENT_TRANSACTIONS (not legal for EndTxn before its
   own retry).

Order: of several batches under way on one connection all are refused, so the client sends them again in their order.
The fence opens only after the old connections are closed (switch) or towards the same broker, which knows the
producer's sequence and refuses a later batch that comes first (roll-back). A Produce with acks=0 has no answer: its
connection is closed, so that the client notices.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Close, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, name_of, understood
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.editing import string_at
from appliance.wire.headers import is_known_write, produce_acks
from appliance.wire.walk import walk_of

PRODUCE_ERROR = ErrorCode.not_leader_or_follower
TRANSACTION_ERROR = ErrorCode.coordinator_load_in_progress
_FIRST_FLEXIBLE = {
    Api.PRODUCE: 9,
    Api.ADD_PARTITIONS_TO_TXN: 3,
    Api.ADD_OFFSETS_TO_TXN: 3,
    Api.END_TXN: 3,
    Api.TXN_OFFSET_COMMIT: 3,
}


class RefusedWrites:
    """Refuses writes; with `open_transactions` only those that would begin a transaction.

    A transaction that ends is not open any more: what comes after its EndTxn begins a new one.
    """

    def __init__(self, *, open_transactions: frozenset[str] | None = None) -> None:
        self._open = None if open_transactions is None else set(open_transactions)

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return is_known_write(api_key)

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - none
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        """Refuse, or let through what may end."""
        if not understood(question.api_key, question.api_version):
            what = f"{name_of(question.api_key)} version {question.api_version}"
            return Close(f"a switchover is under way, and {what} cannot be answered here")
        if self._open is not None and self._may_pass(question, self._open):
            return None
        if (
            question.api_key == Api.PRODUCE
            and produce_acks(question.api_version, question.body, 0, len(question.body)) == 0
        ):
            return Close("a switchover is under way, and a write with acks=0 has no answer that could tell")
        request = decode(request_type(question.api_key, question.api_version), bytes(question.body))
        return Reply(encode(_refusal(question.api_key, question.api_version, request)))

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - never asked
        """See Interceptor."""
        return None

    def _may_pass(self, question: Question, still_open: set[str]) -> bool:
        transactional_id = _transactional_id(question)
        if question.api_key == Api.END_TXN:
            still_open.discard(transactional_id)
            return True  # it begins nothing, and may be the second try of one that was lost
        if question.api_key == Api.PRODUCE and not transactional_id:
            return True
        return transactional_id in still_open


def _transactional_id(question: Question) -> str:
    """Return the request's transactional id; empty where it has none."""
    below_4 = question.api_key == Api.ADD_PARTITIONS_TO_TXN and question.api_version < 4
    field = "v3_and_below_transactional_id" if below_4 else "transactional_id"
    places = walk_of(question.api_key, question.api_version, "request", (field,)).places(
        question.body, 0, len(question.body)
    )
    compact = question.api_version >= _FIRST_FLEXIBLE[Api(question.api_key)]
    return string_at(question.body, places[0].start, places[0].end, compact=compact) if places else ""


def _refusal(api_key: int, api_version: int, request: Any) -> Any:
    kind = response_type(api_key, api_version)
    if api_key == Api.PRODUCE:
        return kind(responses=_refused_topics(kind, "responses", "partition_responses", request.topic_data))
    values: dict[str, Any] = {"throttle_time": timedelta()}
    if "results_by_topic_v3_and_below" in kind.__dataclass_fields__:
        outer = "results_by_topic_v3_and_below"
        values[outer] = _refused_topics(kind, outer, "results_by_partition", request.v3_and_below_topics)
    elif "results_by_transaction" in kind.__dataclass_fields__:
        values |= {"error_code": TRANSACTION_ERROR, "results_by_transaction": ()}
    elif api_key == Api.TXN_OFFSET_COMMIT:
        values["topics"] = _refused_topics(kind, "topics", "partitions", request.topics)
    else:
        values["error_code"] = TRANSACTION_ERROR
    return kind(**values)


def _refused_topics(kind: Any, outer: str, inner: str, topics: Any) -> tuple[Any, ...]:
    """Return the answer's topics: those of the request, each partition with the error."""
    topic_kind = element_type(kind, outer)
    partition_kind = element_type(topic_kind, inner)
    identity = "name" if "name" in topic_kind.__dataclass_fields__ else "topic_id"
    return tuple(
        topic_kind(
            **{
                identity: getattr(topic, identity),
                inner: tuple(_refused_partition(partition_kind, each) for each in _partitions(topic)),
            }
        )
        for topic in topics
    )


def _partitions(topic: Any) -> list[int]:
    if hasattr(topic, "partition_data"):
        return [each.index for each in topic.partition_data]
    return [each if isinstance(each, int) else each.partition_index for each in topic.partitions]


def _refused_partition(kind: Any, index: int) -> Any:
    names = kind.__dataclass_fields__.keys()
    if "index" in names:
        values: dict[str, Any] = {"index": index, "error_code": PRODUCE_ERROR, "base_offset": -1}
        return kind(**values, **({"record_errors": ()} if "record_errors" in names else {}))
    code = "partition_error_code" if "partition_error_code" in names else "error_code"
    return kind(**{"partition_index": index, code: TRANSACTION_ERROR})
