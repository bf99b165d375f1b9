"""Producer ids that stay apart across a switchover.

Every cluster hands out producer ids from 0, and no broker checks that an idempotent producer's id was allocated by it.
A producer that lives through a switchover can so meet a younger one with its own id on the standby, and the broker
takes the younger one's batches for duplicates of the older one's: acknowledged, and never appended. So the answer to
InitProducerId is given a tag of the cluster that allocated it: `id' = (tag << 40) | id`. Produce passes untouched.

Transactional producers keep their real id: their coordinator knows it, and AddPartitionsToTxn and EndTxn carry it.
"""

from __future__ import annotations

import hashlib
import struct

from appliance.exchange.interceptor import Close, Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, understood
from appliance.wire.editing import Edit, int_at, spliced
from appliance.wire.walk import walk_of

_TAG_BITS = 22
"""With 40 bits for the id and the sign bit kept 0 this leaves one bit of an int64 unused."""
_ID_BITS = 40
_NULL_LENGTHS = {True: b"\x00", False: b"\xff\xff"}
"""A null string: compact, and not."""
_FIRST_FLEXIBLE = 2


def tag_of(cluster_id: str) -> int:
    """Return the tag of a cluster: the same in every gateway, and never 0, which untagged ids have."""
    digest = int.from_bytes(hashlib.sha256(cluster_id.encode()).digest()[:4], "big")
    return digest % ((1 << _TAG_BITS) - 1) + 1


class ProducerIdentity:
    """Tags the producer ids of idempotent producers without transactions."""

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return api_key == Api.INIT_PRODUCER_ID

    wants_response = wants_request

    def on_request(self, question: Question) -> RequestVerdict:
        """Note whether the producer is transactional; a version that cannot be read must not hand out an id."""
        if not understood(Api.INIT_PRODUCER_ID, question.api_version):
            return Close(f"the client uses InitProducerId version {question.api_version}, which it was not offered")
        places = walk_of(Api.INIT_PRODUCER_ID, question.api_version, "request", ("transactional_id",)).places(
            question.body, 0, len(question.body)
        )
        place = places[0]
        null = _NULL_LENGTHS[question.api_version >= _FIRST_FLEXIBLE]
        question.memo["transactional"] = bytes(question.body[place.start : place.end]) != null
        return None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Put the tag into a newly allocated id; without knowing the cluster's id the producer must not get one."""
        question = answer.question
        if question.memo.get("transactional"):
            return None
        walk = walk_of(Api.INIT_PRODUCER_ID, question.api_version, "response", ("error_code", "producer_id"))
        error, producer_id = walk.places(answer.body, 0, len(answer.body))
        if int_at(answer.body, error.start, error.end):
            return None
        if not question.knowledge.cluster_id:
            return Close(
                f"the id of cluster {question.knowledge.cluster} is not known yet: a producer id cannot be made unique"
            )
        tagged = tag_of(question.knowledge.cluster_id) << _ID_BITS | int_at(
            answer.body, producer_id.start, producer_id.end
        )
        edit = Edit(producer_id.start, producer_id.end, struct.pack(">q", tagged))
        return Replace(spliced(answer.body, 0, len(answer.body), [edit]))
