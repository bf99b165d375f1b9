"""Produce 0 to 2: offered, because librdkafka looks for them, and not served, because Kafka has retired them.

librdkafka takes a broker whose lowest Produce is above 0 for one that does not know a compression codec (KAFKA-18659),
so brokers go on offering what KIP-896 took away, and end the connection of whoever uses it. Here such a request is told
why: each partition gets UNSUPPORTED_VERSION. There is no layout for these versions in Kafka's definitions any more; the
bytes are these:

    acks int16, timeout int32, [topic string, [partition int32, records bytes]]
    [topic string, [partition int32, error int16, offset int64, (2: append time int64)]], (1 and 2: throttle time int32)
"""

from __future__ import annotations

import struct

from kio.schema.errors import ErrorCode

from appliance.wire.apis import Api
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, legacy_length

RETIRED = range(3)
"""Versions of Produce that are offered and not served."""
_HEAD = struct.Struct(">hi")
_COUNT = struct.Struct(">i")
_PARTITION = struct.Struct(">ihq")
_UNSUPPORTED = ErrorCode.unsupported_version.value


def is_retired(api_key: int, api_version: int) -> bool:
    """Return whether such requests are answered here, with an error."""
    return api_key == Api.PRODUCE and api_version in RETIRED


def refusal(api_version: int, body: Buffer) -> bytes | None:
    """Return the answer to a retired Produce request, None where acks=0 and none is due. Raises Malformed."""
    if len(body) < _HEAD.size:
        raise Malformed("a Produce request ends before its acks")
    acks, _ = _HEAD.unpack_from(body)
    out = bytearray()
    topics, at = _count(body, _HEAD.size)
    out += _COUNT.pack(topics)
    for _ in range(topics):
        name_at, (length, at) = at, _length(body, at, 2)
        at += length
        out += body[name_at:at]
        partitions, at = _count(body, at)
        out += _COUNT.pack(partitions)
        for _ in range(partitions):
            (index,) = _COUNT.unpack(_exactly(body, at))
            length, at = _length(body, at + _COUNT.size, 4)
            at += length
            out += _PARTITION.pack(index, _UNSUPPORTED, -1)
            out += b"\xff" * 8 * (api_version == 2)
    out += bytes(4) if api_version else b""
    return bytes(out) if acks else None


def _count(body: Buffer, at: int) -> tuple[int, int]:
    (count,) = _COUNT.unpack(_exactly(body, at))
    # Each element has at least the four bytes of its own count or index: more of them cannot be there.
    if not 0 <= count <= (len(body) - at) // 4:
        raise Malformed(f"expected a count, found {count} with {len(body) - at} bytes left")
    return count, at + _COUNT.size


def _length(body: Buffer, at: int, width: int) -> tuple[int, int]:
    length, after = legacy_length(body, at, len(body), width)
    if not after or len(body) - after < length:
        raise Malformed("a Produce request ends before its fields do")
    return length, after


def _exactly(body: Buffer, at: int) -> bytes:
    found = bytes(body[at : at + _COUNT.size])
    if len(found) < _COUNT.size:
        raise Malformed("a Produce request ends before its fields do")
    return found
