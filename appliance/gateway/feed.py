"""The snapshot that holds now, and waiting for the next."""

from __future__ import annotations

from collections.abc import Callable

import trio

from appliance.gateway.snapshot import Snapshot


class SnapshotFeed:
    """One publisher (`control`), any number of readers. A snapshot is replaced whole, never changed."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.current = snapshot if snapshot is not None else Snapshot(0, {})
        self._next = trio.Event()

    def publish(self, snapshot: Snapshot) -> None:
        """Make this the current snapshot and wake whoever waits for it."""
        self.current = snapshot
        news, self._next = self._next, trio.Event()
        news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as this holds; it is asked for each snapshot."""
        while not holds():
            await self._next.wait()

    async def wait_newer(self, version: int) -> Snapshot:
        """Return the current snapshot as soon as its version is above this one."""
        await self.until(lambda: self.current.version > version)
        return self.current
