"""The record batches of one partition in a Fetch response: each is given another base offset as it passes.

Base offset and partition leader epoch stand in front of the CRC's part of a batch (record format v2), so that nothing
needs to be computed anew, decompressed or even looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from appliance.wire.editing import put_int64
from appliance.wire.errors import Malformed

_HEAD = struct.Struct(">qiibIhi")
"""Base offset, length of what follows, leader epoch, magic, CRC, attributes, last offset's distance from the base."""
_IN_FRONT = 12
"""Bytes that the length does not count."""
_SHORTEST = 49
"""Bytes that it counts in a batch without records."""
_MAGIC_AT = 16
"""The same in all formats."""
_FORMAT = 2


class Batches:
    """One partition's records, given in pieces. `difference` says what to add to a batch's base offset, given its
    first and last offset."""

    def __init__(self, difference: Callable[[int, int], int]) -> None:
        self._difference = difference
        self._ahead = 0
        """Bytes to the next batch's head."""

    def pass_on(self, buffer: bytearray | memoryview, start: int, end: int, left: int) -> int:
        """Change the batches whose heads are in `buffer[start:end]`; return up to where it is used up.

        `left` is how many bytes of records there are from `start` on, those that have not come yet included. The last
        batch may be cut off: brokers send as many bytes as were asked for. Raises Malformed.
        """
        at, stop = start, start + left
        while True:
            step = min(self._ahead, end - at)
            at += step
            self._ahead -= step
            if self._ahead:
                return at
            if stop - at <= _MAGIC_AT:
                return min(stop, end)
            if end - at <= _MAGIC_AT:
                return at
            if buffer[at + _MAGIC_AT] < _FORMAT:
                raise Malformed(
                    f"records of message format v{buffer[at + _MAGIC_AT]}, from before Kafka 0.11, carry offsets of "
                    "their own and cannot be shown at continuous offsets: let the topic be written anew, or set "
                    "offsets: as-is"
                )
            if stop - at < _HEAD.size:
                return min(stop, end)
            if end - at < _HEAD.size:
                return at
            base, length, _, _, _, _, last = _HEAD.unpack_from(buffer, at)
            if length < _SHORTEST or last < 0:
                raise Malformed(f"expected a record batch, found a length of {length} and a last offset of {last}")
            difference = self._difference(base, base + last)
            if difference:
                put_int64(buffer, at, base + difference)
            self._ahead = min(_IN_FRONT + length, stop - at)
