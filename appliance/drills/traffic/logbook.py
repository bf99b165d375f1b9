"""Where the clients' threads note what they saw, and the runner reads it while they go on.

A client's thread only appends; trio's side only reads. Both rest on CPython's list.append and indexing being
atomic, so that no client ever waits for a lock: what a lock cost would be measured as a gap in the client's
availability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.drills.ledger import Delivery, Write

Clock = Callable[[], float]
"""Seconds since the start of the run; callable from any thread."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that an application would have seen."""

    client: str
    error: str
    at: float


@dataclass
class Tally:
    """One client in numbers, for whoever watches. Written by the client's thread alone."""

    successes: int = 0
    """Acknowledged records of a producer, delivered ones of a consumer."""
    troubles: int = 0
    gap_limit: float = 1.0
    """A longer silence than this, in seconds, is a gap; infinite for a client of which nothing is expected."""
    last_success: float | None = None
    longest_gap: float = 0.0
    """Seconds between two successes."""
    calm_since: float | None = None
    """The first success behind the last failure or gap."""

    def succeeded(self, at: float) -> None:
        """Count a success."""
        gap = 0.0 if self.last_success is None else at - self.last_success
        self.longest_gap = max(self.longest_gap, gap)
        self.successes += 1
        self.last_success = at
        if self.calm_since is None or gap > self.gap_limit:
            self.calm_since = at

    def failed(self) -> None:
        """Count a failure."""
        self.troubles += 1
        self.calm_since = None

    def calm_for(self, now: float) -> float:
        """Return for how many seconds it has worked without a failure or a gap; 0 while it does not."""
        if self.gap_limit == math.inf:
            return math.inf
        if self.calm_since is None or self.last_success is None or now - self.last_success > self.gap_limit:
            return 0.0
        return now - self.calm_since


@dataclass
class Logbook:
    """All that the clients of a run saw, in the order in which they saw it."""

    clock: Clock
    writes: list[Write] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    _told: int = 0

    def enrol(self, client: str, gap_limit: float = 1.0) -> Tally:
        """Return the tally of a client, made on the first call."""
        return self.tallies.setdefault(client, Tally(gap_limit=gap_limit))

    def wrote(self, write: Write) -> None:
        """Note a record's fate; anything but an acknowledgement is also a trouble."""
        self.writes.append(write)
        if write.outcome == "acknowledged":
            self.tallies[write.client].succeeded(self.clock() if write.done is None else write.done)
        else:
            self.troubled(write.client, write.error)

    def delivered(self, delivery: Delivery) -> None:
        """Note a record that a consumer got."""
        self.deliveries.append(delivery)
        self.tallies[delivery.client].succeeded(delivery.at)

    def troubled(self, client: str, error: str) -> None:
        """Note an error that the application saw."""
        self.troubles.append(Trouble(client, error, self.clock()))
        self.tallies[client].failed()

    def new_troubles(self) -> Counter[tuple[str, str]]:
        """Return (client, error) -> count of what came since the last call. For one reader."""
        end = len(self.troubles)
        news = Counter((each.client, each.error) for each in self.troubles[self._told : end])
        self._told = end
        return news

    def writes_since(self, at: float) -> Iterator[Write]:
        """Yield the writes whose fate was known at or after this time, the latest first."""
        for index in range(len(self.writes) - 1, -1, -1):
            write = self.writes[index]
            if write.done is not None and write.done < at:
                return
            yield write

    def deliveries_since(self, at: float) -> Iterator[Delivery]:
        """Yield the deliveries at or after this time, the latest first."""
        for index in range(len(self.deliveries) - 1, -1, -1):
            delivery = self.deliveries[index]
            if delivery.at < at:
                return
            yield delivery
