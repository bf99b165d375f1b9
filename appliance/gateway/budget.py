"""Memory for messages that are needed whole: a bound over many connections, and who gives way when it is reached.

A client that announces a large message and then dawdles must not keep others from theirs: whoever has held an
unfinished message longest is closed first.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.exchange.step import OverLimit

Evict = Callable[[str], None]
"""Ends the connection for this reason; called at most once per claim, and never from within its own `claim`."""


class Budget:
    """Bytes held beyond the shared buffers, by claim. Times are those of one monotonic clock, in seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._claims: dict[object, tuple[int, float, Evict]] = {}
        """Longest held first."""

    def claim(self, holder: object, size: int, now: float, evict: Evict) -> None:
        """Hold `size` bytes, in place of what this holder held; others may have to go. Raises Refused where even then
        there is no room."""
        before, since, _ = self._claims.get(holder, (0, now, evict))
        if size > self.limit:
            raise OverLimit(
                f"a message of {size} bytes is over the limit of {self.limit} for all connections (buffered)"
            )
        for other in list(self._claims):
            if self.held - before + size <= self.limit:
                break
            if other is not holder:
                self._evict(
                    other, f"others needed the memory that its unfinished message held (buffered: {self.limit})"
                )
        self.held += size - before
        self._claims[holder] = (size, since, evict)

    def free(self, holder: object) -> None:
        """Give back what this holder held, if it held anything."""
        held = self._claims.pop(holder, None)
        if held is not None:
            self.held -= held[0]

    def end_those_since(self, before: float, reason: str) -> None:
        """Evict whoever has held an unfinished message since before this time."""
        for holder, (_, since, _) in list(self._claims.items()):
            if since < before:
                self._evict(holder, reason)

    def _evict(self, holder: object, reason: str) -> None:
        size, _, evict = self._claims.pop(holder)
        self.held -= size
        evict(reason)
