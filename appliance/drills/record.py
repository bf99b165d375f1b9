"""A run's clock and the one door through which events reach the journal and whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from appliance.journal.chain import Journal
from appliance.journal.events import Event, RunStarted

Watcher = Callable[[Event], None]


class RunClock:
    """Seconds since the run started, monotonic, callable from any thread; and the wall clock of the start."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._zero = time.monotonic()

    def __call__(self) -> float:
        """Return the seconds since the start, in whole microseconds (so that journals read well)."""
        return round(time.monotonic() - self._zero, 6)


class RunRecord:
    """Append events to the journal and tell the watcher, in this order.

    What a run is (its lab, its versions) is known only once the lab is up, and yet it is the journal's first
    line: what happens before `begin` is held back and follows it.
    """

    def __init__(self, path: Path, watcher: Watcher) -> None:
        self._journal = Journal(path)
        self._watcher = watcher
        self._held: list[Event] | None = []

    def begin(self, event: RunStarted) -> None:
        """Write the first line, then what was held back. Only the first call counts."""
        if self._held is None:
            return
        self._journal.append(event)
        for held in self._held:
            self._journal.append(held)
        self._held = None
        self._watcher(event)

    def add(self, event: Event) -> None:
        """Record an event."""
        if self._held is None:
            self._journal.append(event)
        else:
            self._held.append(event)
        self._watcher(event)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
