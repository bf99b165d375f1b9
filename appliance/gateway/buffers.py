"""Read buffers, shared: a connection holds one only while it has bytes in hand.

Ten thousand idle connections hold none, and a busy one has a large one; so memory follows the work, not the
connections.
"""

from __future__ import annotations

REQUEST_BYTES = 256 * 1024
"""Small enough to stay in the processor's cache from reading to sending: twice as much cost a fifth more CPU."""
RESPONSE_BYTES = 512 * 1024
"""Fetched records come in long runs: half as much cost a fifth more CPU."""
_SPARE = 8
"""Buffers kept for the next one who asks."""


class Buffers:
    """A pool; hands out buffers of one size, and larger ones that are not kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._spare: list[memoryview] = []

    def lease(self) -> memoryview:
        """Return a writable buffer with anything in it."""
        return self._spare.pop() if self._spare else memoryview(bytearray(self._size))

    def give_back(self, buffer: memoryview) -> None:
        """Take back a leased buffer, of which nobody has a part any more."""
        if len(buffer) == self._size and len(self._spare) < _SPARE:
            self._spare.append(buffer)


class Reading:
    """One direction of one connection: bytes that have come and are not used up yet."""

    def __init__(self, pool: Buffers) -> None:
        self._pool = pool
        self._buffer: memoryview | None = None
        self.start = 0
        self.end = 0

    def room(self, need: int) -> memoryview:
        """Return the free part, never empty, of a buffer that has room for `need` bytes from `start` on."""
        if self._buffer is None:
            self._buffer = self._pool.lease()
        held = self.end - self.start
        wanted = max(need, held + 1)
        if self.start and (not held or len(self._buffer) - self.start < wanted):
            self._buffer[:held] = self._buffer[self.start : self.end]
            self.start, self.end = 0, held
        if len(self._buffer) < wanted:
            # Only for a message that somebody wants whole: grown to its size if that is known, else by doubling.
            larger = memoryview(bytearray(need or 2 * len(self._buffer)))
            larger[:held] = self._buffer[:held]
            self._pool.give_back(self._buffer)
            self._buffer = larger
        return self._buffer[self.end :]

    @property
    def buffer(self) -> memoryview:
        """The buffer in hand."""
        assert self._buffer is not None
        return self._buffer

    def used(self, end: int) -> None:
        """Take note that everything before `end` is used up; without a rest the buffer goes back to the pool."""
        self.start = end
        if self.start == self.end:
            self.release()

    def release(self) -> None:
        """Let go of the buffer and what is in it."""
        if self._buffer is not None:
            self._pool.give_back(self._buffer)
            self._buffer = None
        self.start = self.end = 0
