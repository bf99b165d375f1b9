"""Transactional producers that were born on the side that serves no more: let them begin again.

The new side's coordinator does not know such a producer, or knows one of another time by its transactional id. What
brokers say to it (INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_PRODUCER_EPOCH, by chance of numbers) is the
end of the producer in most libraries. So a transaction of such a producer is ended here, with words after which its
library goes on, and its next InitProducerId is the first of a new life. What each library does was seen in the logs of
kafka-clients 4.3.1, 3.9.2 and 2.8.2, franz-go 1.22, librdkafka 2.16, kafka-python 3.0 and aiokafka 0.14:

 - InitProducerId that asks to go on with an id (KIP-360) asks for a new one. PRODUCER_FENCED, which the side that is
   switched back to says otherwise, is fatal in Java and librdkafka.
 - Clients with Produce below version 12 (up to kafka-clients 3.9, librdkafka): AddPartitionsToTxn is answered with no
   error, and Produce with INVALID_PRODUCER_ID_MAPPING, as is EndTxn. Java and librdkafka abort, skip EndTxn and ask for
   an id. Were it AddPartitionsToTxn that fails, Java 2.8 to 3.9 would drop the next of these requests without waking
   its sender, and let a commit wait 30 s for each. kafka-python and aiokafka have no way to another id: they want a new
   producer.
 - Java up to 3.9 takes the partitions that it had added for part of its next transaction too: that one fails with
   INVALID_TXN_STATE. Its abort is answered with no error, as there is nothing to abort; otherwise it would be the end
   of the producer after all.
 - From Produce version 12 on (KIP-890: Java 4, franz-go): TRANSACTION_ABORTABLE, in EndTxn as well. When the producer
   aborts, the broker is asked for a new producer id in the place of EndTxn: both answers have the same fields, and a
   producer takes id and epoch from either. INVALID_PRODUCER_ID_MAPPING is fatal in both.
 - Kafka Streams (exactly_once_v2) shuts down on all of these but PRODUCER_FENCED: on that it makes a new producer and
   begins its tasks anew. Its producers are known by their client id, of which Streams writes the end itself.

Nothing of such a transaction reaches the new side. Rejected: UNKNOWN_PRODUCER_ID in Produce (Java begins the
partition's sequence anew and sends the batch again, without end), and giving the ids of the old side a meaning on the
new one (in an unplanned switchover the first half of a transaction may be lost, and its second half must not be
committed).
"""

from __future__ import annotations

import re
import struct
from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Close, Instead, Replace, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.connect.answered_writes import BEGINS_BY_ITSELF, answer_to, transactional_id_of
from appliance.policies.positions.transactional_ids import TransactionalIds
from appliance.wire.apis import Api, request_header_version, understood
from appliance.wire.codec import encode, request_type
from appliance.wire.editing import Edit, int_at, spliced, string_at
from appliance.wire.headers import is_known_write, produce_acks
from appliance.wire.walk import walk_of

_MEMO, _ENDS = "transactions", "transactions/ends"
_ASKED = ("transactional_id", "transaction_timeout", "producer_id", "producer_epoch")
_NEW = (struct.pack(">q", -1), struct.pack(">h", -1))
"""A producer id and epoch that are not known yet."""
_ABORTABLE = {Api.PRODUCE: BEGINS_BY_ITSELF, Api.END_TXN: 5, Api.TXN_OFFSET_COMMIT: 5}
"""From which version on a producer's transactions are those of KIP-890."""
_OF_STREAMS = re.compile(r"-StreamThread-\d+(-\d+_\d+)?-producer")
"""The end of the client id of a producer of Kafka Streams; with the task's id where each has its own."""
_INIT_VERSION = 5
"""The InitProducerId whose answer is laid out as that of EndTxn 5; brokers that know the one know the other."""


class Transactions:
    """Listens to who is born on the cluster `serving`; with `after_switch` it also ends what cannot go on."""

    def __init__(self, ids: TransactionalIds, serving: str, *, after_switch: bool) -> None:
        self._ids = ids
        self._serving = serving
        self._after_switch = after_switch

    def wants_request(self, api_key: int, api_version: int) -> bool:
        wanted = api_key == Api.INIT_PRODUCER_ID or (self._after_switch and is_known_write(api_key))
        return wanted and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        wanted = api_key == Api.INIT_PRODUCER_ID or (self._after_switch and api_key == Api.END_TXN)
        return wanted and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Note who is born; end the transactions of those that are left behind."""
        if question.knowledge.cluster != self._serving:
            return None
        if question.api_key == Api.INIT_PRODUCER_ID:
            return self._asks_for_id(question)
        transactional_id = transactional_id_of(question)
        timeout = self._ids.left_behind(transactional_id)
        if timeout is not None:
            return self._ended(question, transactional_id, timeout)
        if question.api_key == Api.END_TXN and self._ids.reborn(transactional_id):
            question.memo[_ENDS] = transactional_id, _commits(question)
        return None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Note that a producer has an id of this side; tell one that has just got it that nothing is left to abort."""
        question = answer.question
        walk = walk_of(question.api_key, question.api_version, "response", ("error_code",))
        (error,) = walk.places(answer.body, 0, len(answer.body))
        code = int_at(answer.body, error.start, error.end)
        match question.memo.get(_MEMO):
            case (str(transactional_id), int(timeout)) if not code:
                self._ids.born(transactional_id, timeout)
        match question.memo.get(_ENDS):
            case (str(transactional_id), False) if code == ErrorCode.invalid_txn_state.value:
                self._ids.ended(transactional_id)
                return Replace(spliced(answer.body, 0, len(answer.body), [Edit(error.start, error.end, bytes(2))]))
            case (str(transactional_id), _) if not code:
                self._ids.ended(transactional_id)
        return None

    def _asks_for_id(self, question: Question) -> RequestVerdict:
        body = question.body
        walk = walk_of(question.api_key, question.api_version, "request", _ASKED)
        named, timeout, *before = walk.places(body, 0, len(body))
        compact = request_header_version(question.api_key, question.api_version) == 2
        transactional_id = string_at(body, named.start, named.end, compact=compact)
        if not transactional_id:
            return None
        question.memo[_MEMO] = transactional_id, int_at(body, timeout.start, timeout.end)
        if not before or self._ids.left_behind(transactional_id) is None:
            return None
        edits = [Edit(place.start, place.end, new) for place, new in zip(before, _NEW, strict=True)]
        return Replace(spliced(body, 0, len(body), edits))

    def _ended(self, question: Question, transactional_id: str, timeout: int) -> RequestVerdict:
        api, version = Api(question.api_key), question.api_version
        if api is Api.ADD_PARTITIONS_TO_TXN:
            return Reply(answer_to(question, ErrorCode.none))
        if api is Api.PRODUCE and produce_acks(version, question.body, 0, len(question.body)) == 0:
            return Close("a producer from before the switchover writes with acks=0: no answer can tell it")
        if _OF_STREAMS.search(question.client_id):
            return Reply(answer_to(question, ErrorCode.producer_fenced))
        if version < _ABORTABLE.get(api, version + 1):
            return Reply(answer_to(question, ErrorCode.invalid_producer_id_mapping))
        if api is Api.END_TXN and not _commits(question):
            question.memo[_MEMO] = transactional_id, timeout
            return Instead(Api.INIT_PRODUCER_ID, _INIT_VERSION, _first_request(transactional_id, timeout))
        return Reply(answer_to(question, ErrorCode.transaction_abortable))


def _commits(question: Question) -> bool:
    walk = walk_of(question.api_key, question.api_version, "request", ("committed",))
    (committed,) = walk.places(question.body, 0, len(question.body))
    return question.body[committed.start] != 0


def _first_request(transactional_id: str, timeout: int) -> bytes:
    values: dict[str, Any] = {
        "transactional_id": transactional_id,
        "transaction_timeout": timedelta(milliseconds=timeout),
        "producer_id": -1,
        "producer_epoch": -1,
    }
    return encode(request_type(Api.INIT_PRODUCER_ID, _INIT_VERSION)(**values))
