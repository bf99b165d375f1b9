"""Changing single fields of a message that otherwise stays as it is."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, compact_length, legacy_length

_INT64 = struct.Struct(">q")
_BEYOND = 1 << 63


class Edit(NamedTuple):
    """Put `content` in the place of `buffer[start:end]`."""

    start: int
    end: int
    content: bytes


def spliced(buffer: Buffer, start: int, end: int, edits: Iterable[Edit]) -> bytes:
    """Return `buffer[start:end]` with the edits made; they are in order and do not overlap."""
    pieces: list[Buffer] = []
    view = memoryview(buffer)
    for edit in edits:
        pieces += (view[start : edit.start], edit.content)
        start = edit.end
    pieces.append(view[start:end])
    return b"".join(pieces)


def writable(buffer: Buffer) -> memoryview:
    """Return the bytes to be written into: themselves where that can be, else a copy."""
    view = memoryview(buffer)
    return memoryview(bytearray(view)) if view.readonly else view


def string_at(buffer: Buffer, start: int, end: int, *, compact: bool) -> str:
    """Return the string whose place (prefix included) is `buffer[start:end]`; empty for null."""
    at = compact_length(buffer, start, end)[1] if compact else legacy_length(buffer, start, end, 2)[1]
    return bytes(buffer[at:end]).decode(errors="replace")


def int_at(buffer: Buffer, start: int, end: int) -> int:
    """Return the signed integer in `buffer[start:end]`."""
    return int.from_bytes(buffer[start:end], "big", signed=True)


def put_int64(buffer: bytearray | memoryview, at: int, value: int) -> None:
    """Write a signed integer of eight bytes. Raises Malformed for one that needs more."""
    if not -_BEYOND <= value < _BEYOND:
        raise Malformed(f"expected a number of 64 bits, found {value}")
    _INT64.pack_into(buffer, at, value)


def varint(value: int) -> bytes:
    """Encode an unsigned varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encoded_string(text: str, *, compact: bool) -> bytes:
    """Encode a string with its length prefix."""
    content = text.encode()
    return (varint(len(content) + 1) if compact else struct.pack(">h", len(content))) + content
