"""How somebody who wants to leave ends a run: politely, and then less politely.

The first request ends the steps: healing, a hasty settling, the final read, verdict and report follow. The second
ends the settling and the reading too. Healing itself is never cut short.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class Interruption:
    """Requests to end, and the part of the run that the next one ends."""

    def __init__(self) -> None:
        self.reason = ""
        """What the first request was: `SIGINT`. Empty while there was none."""
        self._scopes: list[trio.CancelScope | None] = []

    def request(self, reason: str) -> None:
        """End the part of the run that can be ended now. To be called on trio's thread."""
        self.reason = self.reason or reason
        if self._scopes and self._scopes[-1] is not None:
            self._scopes[-1].cancel()

    @contextmanager
    def interruptible(self) -> Iterator[trio.CancelScope]:
        """Let a request end this block (and what is in it), unless an inner block takes it."""
        with trio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                yield scope
            finally:
                self._scopes.pop()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Keep requests from ending this block; that one was made is still known."""
        self._scopes.append(None)
        try:
            yield
        finally:
            self._scopes.pop()
