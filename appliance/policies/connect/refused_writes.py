"""Writes that are answered with a retriable error instead of being held at the fence of a switchover.

Which error: one that every library takes for "not appended, learn anew whom to ask, send again in the same order".

 - Produce: NOT_LEADER_OR_FOLLOWER. It is in the retriable set of all libraries (PROTOCOL.md section 4), a broker gives
   it before anything is appended, and none counts it as possibly persisted: idempotent producers put the batch back in
   its sequence and keep their epoch. librdkafka does not count it against `retries`, Java only against
   `delivery.timeout.ms`. Rejected: REQUEST_TIMED_OUT (possibly appended: a producer without idempotence may double),
   NOT_ENOUGH_REPLICAS (librdkafka counts it against `retries`, and no library looks for another leader),
   THROTTLING_QUOTA_EXCEEDED and BROKER_NOT_AVAILABLE (not retriable in Java's producer).
 - Produce that would begin a transaction by itself (version 12 on, KIP-890): REQUEST_TIMED_OUT, which means: send it
   again in a moment. Behind NOT_LEADER_OR_FOLLOWER franz-go waits for its next Metadata, 5 s, and the switchover is
   over sooner. Possibly appended is no harm here: such a batch has a sequence number.
 - Transactions: COORDINATOR_LOAD_IN_PROGRESS, which AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit and EndTxn
   all may answer, and after which Java and librdkafka ask the same coordinator again, with the transaction as it is.
   Rejected: NOT_COORDINATOR (a storm of FindCoordinator) and CONCURRENT_TRANSACTIONS (not legal for EndTxn before its
   own retry).

Who would begin a transaction while others end is made to wait a second before it is refused: the switchover is
mostly over by then, and its connection closed. An error would send franz-go for Metadata at once, of the cluster that
is about to be left, and it asks again only 5 s later.

Order: of several batches under way on one connection all are refused, so the client sends them again in their order.
The fence opens only after the old connections are closed (switch) or towards the same broker, which knows the
producer's sequence and refuses a later batch that comes first (roll-back). A Produce with acks=0 has no answer: its
connection is closed, so that the client notices.
"""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import AskAgain, Close, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.connect.answered_writes import BEGINS_BY_ITSELF, answer_to, transactional_id_of
from appliance.wire.apis import Api, kind_in_words, understood
from appliance.wire.headers import is_known_write, produce_acks

PRODUCE_ERROR = ErrorCode.not_leader_or_follower
BEGINNING_ERROR = ErrorCode.request_timed_out
TRANSACTION_ERROR = ErrorCode.coordinator_load_in_progress
ENDING_SECONDS = 1.0
"""How long a transaction that may not begin waits for its refusal: less than any client waits for an answer."""
_LOOKS = 20
"""How often meanwhile it is looked whether it may go on after all: one that had begun just before the fence may."""
_MEMO = "refused_writes"


class RefusedWrites:
    """Refuses writes; with `open_transactions` only those that would begin a transaction.

    A transaction that ends is not open any more: what comes after its EndTxn begins a new one.
    """

    def __init__(self, *, open_transactions: frozenset[str] | None = None) -> None:
        self._open = None if open_transactions is None else set(open_transactions)

    def let_go_on(self, transactions: frozenset[str]) -> None:
        """Let these end too: they were under way before anybody was refused."""
        if self._open is not None:
            self._open |= transactions

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return is_known_write(api_key)

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - none
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        """Refuse, or let through what may end."""
        if not understood(question.api_key, question.api_version):
            what = kind_in_words(question.api_key, question.api_version)
            return Close(f"a switchover is under way, and {what} cannot be answered here")
        if self._open is not None:
            if self._may_pass(question, self._open):
                return None
            looks = question.memo.get(_MEMO, 0)
            if isinstance(looks, int) and looks < _LOOKS:
                question.memo[_MEMO] = looks + 1
                return AskAgain(ENDING_SECONDS / _LOOKS)
        if (
            question.api_key == Api.PRODUCE
            and produce_acks(question.api_version, question.body, 0, len(question.body)) == 0
        ):
            return Close("a switchover is under way, and a write with acks=0 has no answer that could tell")
        return Reply(answer_to(question, _error(question)))

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - never asked
        """See Interceptor."""
        return None

    def _may_pass(self, question: Question, still_open: set[str]) -> bool:
        transactional_id = transactional_id_of(question)
        if question.api_key == Api.END_TXN:
            still_open.discard(transactional_id)
            return True  # it begins nothing, and may be the second try of one that was lost
        if question.api_key == Api.PRODUCE and not transactional_id:
            return True
        return transactional_id in still_open


def _error(question: Question) -> ErrorCode:
    if question.api_key != Api.PRODUCE:
        return TRANSACTION_ERROR
    begins = question.api_version >= BEGINS_BY_ITSELF and transactional_id_of(question)
    return BEGINNING_ERROR if begins else PRODUCE_ERROR
