"""Read buffers, shared: a connection holds one only while it has bytes in hand.

Ten thousand idle connections hold none, and a busy one has a large one; so memory follows the work, not the
connections. Slow ones hold little: the beginning of a message that does not go on is put aside, and what is needed
whole beyond a shared buffer is claimed from a budget.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.gateway.budget import Budget, Evict

REQUEST_BYTES = 256 * 1024
"""Small enough to stay in the processor's cache from reading to sending: twice as much cost a fifth more CPU."""
RESPONSE_BYTES = 512 * 1024
"""Fetched records come in long runs: half as much cost a fifth more CPU."""
_SPARE = 8
"""Buffers kept for the next one who asks."""
_ASIDE = 1024
"""Bytes that are cheap to copy, and worth it: else a client that stops within a header keeps a whole buffer."""


class Buffers:
    """A pool; hands out buffers of one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._spare: list[memoryview] = []

    def lease(self) -> memoryview:
        """Return a writable buffer with anything in it."""
        return self._spare.pop() if self._spare else _memory(self.size)

    def give_back(self, buffer: memoryview) -> None:
        """Take back a buffer, of which nobody has a part any more; one of another size is let go."""
        if len(buffer) == self.size and len(self._spare) < _SPARE:
            self._spare.append(buffer)


class Reading:
    """One direction of one connection: bytes that have come and are not used up yet.

    `clock` gives the time of the budget's clock; `evict` ends the connection.
    """

    def __init__(self, pool: Buffers, budget: Budget, clock: Callable[[], float], evict: Evict) -> None:
        self._pool = pool
        self._budget = budget
        self._clock = clock
        self._evict = evict
        self._buffer: memoryview | None = None
        self._aside = b""
        self.start = 0
        self.end = 0

    def room(self, need: int) -> memoryview:
        """Return the free part, never empty, of a buffer that has room for `need` bytes from `start` on.

        Raises Refused where the budget has no room for them.
        """
        buffer = self.buffer
        held = self.end - self.start
        wanted = max(need, held + 1)
        if self.start and (not held or len(buffer) - self.start < wanted):
            buffer[:held] = buffer[self.start : self.end]
            self.start, self.end = 0, held
        if len(buffer) < wanted:
            # Only for a message that somebody wants whole: grown to its size if that is known, else by doubling.
            size = need or 2 * len(buffer)
            self._budget.claim(self, size, self._clock(), self._evict)
            larger = _memory(size)
            larger[:held] = buffer[:held]
            self._pool.give_back(buffer)
            self._buffer = buffer = larger
        return buffer[self.end :]

    @property
    def buffer(self) -> memoryview:
        """The buffer in hand, with what was put aside."""
        if self._buffer is None:
            self._take_up()
        assert self._buffer is not None
        return self._buffer

    def used(self, end: int, need: int = 0) -> None:
        """Take note that everything before `end` is used up, and that the rest is the beginning of a message of which
        `need` bytes must come together (0: it needs not).

        The buffer goes back to the pool if little is left. Raises Refused where the budget has no room.
        """
        buffer = self.buffer
        if end > self.start:
            self._budget.free(self)
        self.start = end
        held = self.end - self.start
        if held <= _ASIDE:
            self._aside = bytes(buffer[self.start : self.end])
            self._let_go()
            self.end = held  # from 0 on: so long is what is put aside
            return
        if len(buffer) != self._pool.size and max(held, need) <= self._pool.size:
            smaller = self._pool.lease()
            smaller[:held] = buffer[self.start : self.end]
            self._let_go()
            self._buffer, self.end = smaller, held
            buffer = smaller
        if need or len(buffer) != self._pool.size:
            self._budget.claim(self, max(need, len(buffer)), self._clock(), self._evict)

    def release(self) -> None:
        """Let go of the buffer and what is in it."""
        self._budget.free(self)
        self._let_go()
        self._aside = b""

    def _take_up(self) -> None:
        self._buffer = self._pool.lease()
        if self._aside:
            self._buffer[: len(self._aside)] = self._aside
            self._aside = b""

    def _let_go(self) -> None:
        if self._buffer is not None:
            self._pool.give_back(self._buffer)
            self._buffer = None
        self.start = self.end = 0


def _memory(size: int) -> memoryview:
    """Return memory that is not there before it is written to: a bytearray would be wiped, and so taken, as a whole, by
    whoever only announces a large message."""
    return memoryview(mmap.mmap(-1, size))


@dataclass(frozen=True)
class Memory:
    """What the connections of a process share to read into."""

    budget: Budget
    requests: Buffers = field(default_factory=lambda: Buffers(REQUEST_BYTES))
    responses: Buffers = field(default_factory=lambda: Buffers(RESPONSE_BYTES))
