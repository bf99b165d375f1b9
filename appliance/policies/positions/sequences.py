"""Idempotent producers that come back to a cluster which has known them before.

A broker keeps, for a day (`producer.id.expiration.ms`), the last sequence number of every producer id in every
partition. A producer that wrote to cluster A up to 100, lived through a switch to B and wrote there up to 200, goes on
with 201 when it is switched back: A expects 101 and answers OUT_OF_ORDER_SEQUENCE_NUMBER. librdkafka takes that for
fatal, others give up records or begin a new epoch. B had never heard of the id, and takes any sequence number from one
that it does not know (KIP-360); so the first switch goes well, and the way back does not.

So from the second switch on the ids in batches are given the number of the switch, and the cluster has never heard of
them either: `id' = id xor (switches << 32)`. Ids are counted from 0 below the tag of `connect.producer_identity`; only
ids with such a tag are changed, never those of transactions, which their coordinator knows.

The id stands within the CRC. It is not computed anew but changed by the difference that the id makes (CRCs are linear),
so that a batch that was damaged on its way stays one that the broker refuses.

Rejected: answering UNKNOWN_PRODUCER_ID, which makes libraries ask for another id. librdkafka takes that for fatal too
where a batch was sent before, and all that were held at the fence were.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from crc32c import crc32c

from appliance.exchange.interceptor import RequestVerdict, ResponseVerdict, written
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, request_header_version, understood
from appliance.wire.editing import writable
from appliance.wire.walk import Buffer, compact_length, legacy_length, walk_of

FIRST_SWITCH = 2
"""The first that can lead back."""
_SHIFT = 32
_MOST = 1 << 8
"""The number of the switch has the bits between 32 and the tag's 40."""
_TAG_SHIFT = 40
_LENGTH = struct.Struct(">i")
_CRC = struct.Struct(">I")
_ATTRIBUTES = struct.Struct(">h")
_ID = struct.Struct(">q")
_LENGTH_AT, _MAGIC_AT, _CRC_AT, _ATTRIBUTES_AT, _ID_AT, _RECORDS_AT = 8, 16, 17, 21, 43, 61
_IN_FRONT = 12
"""Bytes that a batch's length does not count."""
_FORMAT = 2
_TRANSACTIONAL = 0x10


class Sequences:
    """Gives producer ids the number of the switch; for routes that have been switched at least twice.

    `serving`: connections to other clusters live on for a moment after a switch, and theirs are left alone.
    """

    def __init__(self, serving: str, switches: int) -> None:
        self._serving = serving
        self._number = switches % _MOST

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key == Api.PRODUCE and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - nothing in answers names the id
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        """Change the ids in all batches, where they stand: records are not copied."""
        if question.knowledge.cluster != self._serving or not self._number:
            return None
        walk = walk_of(question.api_key, question.api_version, "request", ("topic_data.partition_data.records",))
        compact = request_header_version(question.api_key, question.api_version) == 2
        own = writable(question.body)  # who was here before may have put it there
        for _, start, end in walk.places(own, 0, len(own)):
            at = (compact_length(own, start, end) if compact else legacy_length(own, start, end, 4))[1]
            for batch, after in _tagged(own, at, end):
                self._renumber(own, batch, after)
        return written(question.body, own)

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - not wanted
        """Leave answers alone."""
        return None

    def _renumber(self, body: memoryview, batch: int, after: int) -> None:
        (producer_id,) = _ID.unpack_from(body, batch + _ID_AT)
        (crc,) = _CRC.unpack_from(body, batch + _CRC_AT)
        before = crc32c(body[batch + _ID_AT : after])
        _ID.pack_into(body, batch + _ID_AT, producer_id ^ (self._number << _SHIFT))
        _CRC.pack_into(body, batch + _CRC_AT, crc ^ before ^ crc32c(body[batch + _ID_AT : after]))


def _tagged(body: Buffer, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Find the batches of idempotent producers with a tagged id: where each begins and ends. What is no batch is left
    to the broker to refuse."""
    while end - at >= _RECORDS_AT and body[at + _MAGIC_AT] == _FORMAT:
        (length,) = _LENGTH.unpack_from(body, at + _LENGTH_AT)
        after = at + _IN_FRONT + length
        if not at + _RECORDS_AT <= after <= end:
            return
        (attributes,) = _ATTRIBUTES.unpack_from(body, at + _ATTRIBUTES_AT)
        (producer_id,) = _ID.unpack_from(body, at + _ID_AT)
        if producer_id >> _TAG_SHIFT > 0 and not attributes & _TRANSACTIONAL:
            yield at, after
        at = after
