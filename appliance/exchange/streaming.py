"""A Fetch response on its way through, too large to be held: walked as it passes.

Its node endpoints (KIP-951) stand at the very end, behind all records, and can no longer be replaced by longer or
shorter ones there: the frame's size has left already. They are optional, though: so their tag is given a number that
no client knows, and the bytes are blanked. The client then learns the new leader from Metadata, as clients did before
KIP-951.
Rejected: holding the response whole (50 MB by default, for every consumer), and padding the new addresses to length.

Interceptors may see fields on the way and change them in place (`InPlace`), one of them the heads of record batches:
records are then not passed over in one leap but from batch to batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.exchange.interceptor import InPlace
from appliance.wire.apis import Api
from appliance.wire.errors import Malformed
from appliance.wire.walk import Place, Streaming, compact_length, legacy_length, tag_head, walk_of

RECORDS_SIZE = "responses.partitions.records.size"
_FIRST_FLEXIBLE = 12
_UNKNOWN_TAG = 0x7F
"""Highest number of one byte: as long as the 0 that it replaces, and in order behind any known tag."""

Writable = bytearray | memoryview


def records_size(buffer: Writable, start: int, end: int, *, compact: bool) -> int:
    """Return how many bytes of records follow the length prefix `buffer[start:end]`."""
    return (compact_length(buffer, start, end) if compact else legacy_length(buffer, start, end, 4))[0]


class PassingFetch:
    """One response; `pass_on` is called with its bytes as they come, from behind the response header on."""

    def __init__(self, api_version: int, body_size: int, patches: Sequence[InPlace] = ()) -> None:
        wanted = ("node_endpoints", *dict.fromkeys(path for patch in patches for path in patch.fields))
        self._walk = walk_of(Api.FETCH, api_version, "response", wanted)
        self._seers = [
            [(patch, patch.fields.index(path)) for patch in patches if path in patch.fields] for path in wanted
        ]
        """For each wanted field those that see it, in order, and which of theirs it is."""
        readers = [patch for patch in patches if RECORDS_SIZE in patch.fields]
        assert len(readers) <= 1, "records are passed on by one"
        self._reader = readers[0] if readers else None
        self._records = wanted.index(RECORDS_SIZE) if readers else -1
        self._compact = api_version >= _FIRST_FLEXIBLE
        self._left = body_size
        """Bytes of the body that have not been passed on."""
        self._blank = 0
        """Bytes of endpoints still to be wiped out."""
        self._unread = 0
        """Bytes to pass on before the walk goes on: records, mostly."""
        self._batches = False
        """The unread bytes are records whose batches are to be seen."""
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
        at = self._pass_unread(buffer, start, end)
        if not self._unread:
            at = self._walk_on(buffer, at, end)
        if last and at < end:
            raise Malformed("a Fetch response ends before its fields do")
        self._left -= at - start
        return at

    def _pass_unread(self, buffer: Writable, start: int, end: int) -> int:
        if self._batches and self._reader is not None:
            at = self._reader.batches(buffer, start, end, self._unread)
        else:
            at = min(start + self._unread, end)
        self._unread -= at - start
        return at

    def _walk_on(self, buffer: Writable, at: int, end: int) -> int:
        if self._streaming is None:
            self._streaming = self._walk.stream(buffer, at, end)
        elif self._streaming.done:
            return end
        else:
            self._streaming.feed(buffer, at, end)
        self._batches = False
        reached = self._streaming.at
        for place in self._streaming.found:
            if place.field:
                at = self._seen(buffer, place, end)
                if at >= 0:
                    # Records that go on behind this piece: the walk has leapt over them.
                    self._unread = reached - at
                    self._batches = True
                    return at
            else:
                self._blank = tag_head(buffer, place.start, place.end)[1]
                buffer[place.start] = _UNKNOWN_TAG
                self._wipe(buffer, place.end, end)
        self._unread = max(reached - end, 0)
        # A walk that is done has stopped behind the last field that anybody wants; what follows is opaque.
        return end if self._streaming.done else min(reached, end)

    def _seen(self, buffer: Writable, place: Place, end: int) -> int:
        """Show a field to the patches, and records where they follow it; return from where on they must be given again
        with more, -1 where nothing must."""
        for patch, field in self._seers[place.field]:
            patch.see(field, buffer, place.start, place.end)
        if place.field != self._records or self._reader is None:
            return -1
        size = records_size(buffer, place.start, place.end, compact=self._compact)
        at = self._reader.batches(buffer, place.end, min(end, place.end + size), size)
        return at if at < place.end + size else -1

    def _wipe(self, buffer: Writable, start: int, end: int) -> None:
        size = min(self._blank, end - start)
        buffer[start : start + size] = bytes(size)
        self._blank -= size
