"""A Fetch response on its way through, too large to be held: walked as it passes.

Its node endpoints (KIP-951) stand at the very end, behind all records, and can no longer be replaced by longer or
shorter ones there: the frame's size has left already. They are optional, though: so their tag is given a number that
no client knows, and the bytes are blanked. The client then learns the new leader from Metadata, as clients did before
KIP-951.
Rejected: holding the response whole (50 MB by default, for every consumer), and padding the new addresses to length.
"""

from __future__ import annotations

from appliance.wire.apis import Api
from appliance.wire.errors import Malformed
from appliance.wire.walk import Streaming, tag_head, walk_of

_UNKNOWN_TAG = 0x7F
"""Highest number of one byte: as long as the 0 that it replaces, and in order behind any known tag."""

Writable = bytearray | memoryview


class PassingFetch:
    """One response; `pass_on` is called with its bytes as they come, from behind the response header on."""

    def __init__(self, api_version: int, body_size: int) -> None:
        self._walk = walk_of(Api.FETCH, api_version, "response", ("node_endpoints",))
        self._left = body_size
        """Bytes of the body that have not been passed on."""
        self._blank = 0
        """Bytes of endpoints still to be wiped out."""
        self._unread = 0
        """Bytes to pass on before the walk goes on: records, mostly."""
        self._streaming: Streaming | None = None

    @property
    def done(self) -> bool:
        """Whether the whole body has been passed on."""
        return self._left == 0

    def pass_on(self, buffer: Writable, start: int, end: int) -> int:
        """Look at `buffer[start:end]`, blank endpoints in place, and return up to where it may go to the client.

        What lies behind that must be given again with more. Raises Malformed.
        """
        end = min(end, start + self._left)
        last = end - start == self._left
        self._wipe(buffer, start, end)
        at = min(start + self._unread, end)
        self._unread -= at - start
        if not self._unread:
            at = self._walk_on(buffer, at, end)
        if last and at < end:
            raise Malformed("a Fetch response ends before its fields do")
        self._left -= at - start
        return at

    def _walk_on(self, buffer: Writable, at: int, end: int) -> int:
        if self._streaming is None:
            self._streaming = self._walk.stream(buffer, at, end)
        elif self._streaming.done:
            return end
        else:
            self._streaming.feed(buffer, at, end)
        for place in self._streaming.found:
            self._blank = tag_head(buffer, place.start, place.end)[1]
            buffer[place.start] = _UNKNOWN_TAG
            self._wipe(buffer, place.end, end)
        reached = self._streaming.at
        self._unread = max(reached - end, 0)
        return min(reached, end)

    def _wipe(self, buffer: Writable, start: int, end: int) -> None:
        size = min(self._blank, end - start)
        buffer[start : start + size] = bytes(size)
        self._blank -= size
