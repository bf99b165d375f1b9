"""Frame sizes and message headers.

A frame is an int32 size and a message. A request's header is api key, api version, correlation id and, from header
version 1 on, a client id (always an int16-length string, KIP-482), from 2 on tagged fields; a response's is the
correlation id and, from header version 1 on, tagged fields.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from appliance.wire.apis import Api, request_header_version, response_header_version
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, compact_length, legacy_length, long_varint, tag_head

SIZE = struct.Struct(">i")
REQUEST_HEAD = struct.Struct(">ihhi")
"""Frame size, api key, api version, correlation id: the part of a request that is always there."""
RESPONSE_HEAD = struct.Struct(">ii")
"""Frame size, correlation id."""


class RequestHeader(NamedTuple):
    api_key: int
    api_version: int
    correlation_id: int
    client_id: str
    """Empty where the client gave none."""
    body: int
    """Where the body begins, counted from the start of the buffer that was parsed."""


def request_header(frame: Buffer, start: int, end: int) -> RequestHeader:
    """Parse the header of the request whose frame (size included) begins at `start`.

    Raises Malformed where it is not all within `end`.
    """
    if end - start < REQUEST_HEAD.size:
        raise Malformed(f"expected a request header of at least {REQUEST_HEAD.size - 4} bytes, found {end - start - 4}")
    _, api_key, api_version, correlation_id = REQUEST_HEAD.unpack_from(frame, start)
    length, at = legacy_length(frame, start + REQUEST_HEAD.size, end, 2)
    if not at or end - at < length:
        raise Malformed("the request ends within its client id")
    client_id = bytes(frame[at : at + length]).decode(errors="replace")
    at += length
    if request_header_version(api_key, api_version) == 2:
        at = _behind_tags(frame, at, end)
    return RequestHeader(api_key, api_version, correlation_id, client_id, at)


def response_body(frame: Buffer, start: int, end: int, api_key: int, api_version: int) -> int:
    """Return where the body begins in the response whose frame (size included) begins at `start`. Raises Malformed."""
    at = start + RESPONSE_HEAD.size
    return _behind_tags(frame, at, end) if response_header_version(api_key, api_version) == 1 else at


def response_frame(api_key: int, api_version: int, correlation_id: int, body: bytes) -> bytes:
    """Return a whole response frame for this body."""
    return response_head(api_key, api_version, correlation_id, len(body)) + body


def response_head(api_key: int, api_version: int, correlation_id: int, body_size: int) -> bytes:
    """Return what stands before the body in a response frame."""
    tags = b"\0" if response_header_version(api_key, api_version) == 1 else b""
    return RESPONSE_HEAD.pack(4 + len(tags) + body_size, correlation_id) + tags


def request_frame(api_key: int, api_version: int, correlation_id: int, client_id: str, body: bytes) -> bytes:
    """Return a whole request frame for this body."""
    name = client_id.encode()
    tags = b"\0" if request_header_version(api_key, api_version) == 2 else b""
    size = 10 + len(name) + len(tags) + len(body)
    return (
        REQUEST_HEAD.pack(size, api_key, api_version, correlation_id)
        + struct.pack(">h", len(name))
        + name
        + tags
        + body
    )


def produce_acks(api_version: int, frame: Buffer, body: int, end: int) -> int | None:
    """Return the acks of the Produce request whose body begins at `body`; None where those bytes have not come yet.

    0 means that the broker sends no response at all, which everyone who counts responses must know.
    """
    at = produce_acks_at(api_version, frame, body, end)
    return int.from_bytes(frame[at : at + 2], "big", signed=True) if at >= 0 else None


def produce_acks_at(api_version: int, frame: Buffer, body: int, end: int) -> int:
    """Return where the two bytes of acks stand; -1 where they have not come yet."""
    if api_version >= 3:
        if api_version >= 9:
            length, at = compact_length(frame, body, end)
        else:
            length, at = legacy_length(frame, body, end, 2)
        if not at:
            return -1
        body = at + length
    return body if end - body >= 2 else -1


def _behind_tags(frame: Buffer, at: int, end: int) -> int:
    count, at = long_varint(frame, at, end)
    for _ in range(count):
        if not at:
            break
        _, size, at = tag_head(frame, at, end)
        at = at + size if at and end - at >= size else 0
    if not at:
        raise Malformed("the message ends within the tagged fields of its header")
    return at


def odd_frame(buffer: Buffer, at: int, limit: int) -> str:
    """Say what those bytes probably are instead of a Kafka request."""
    (size,) = SIZE.unpack_from(buffer, at)
    head = bytes(buffer[at : at + 5])
    if head[:2] == b"\x16\x03":
        return (
            "expected a Kafka request, found a TLS handshake: this listener is plain; set security.protocol=PLAINTEXT"
        )
    if head[:4] in (b"GET ", b"POST", b"HEAD", b"PUT "):
        return "expected a Kafka request, found an HTTP request"
    if size > limit:
        return f"a request of {size} bytes is over the limit of {limit}"
    return f"expected a Kafka request, found a frame of {size} bytes"


def is_known_write(api_key: int) -> bool:
    """Return whether requests of this API write records or decide over written ones (transactions)."""
    return api_key in _WRITES


_WRITES = frozenset(
    {Api.PRODUCE, Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.END_TXN}
)
