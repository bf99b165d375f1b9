"""Whom a fault strikes: selector, trigger, seed and counters, the same for every fault.

A decision is a function of (seed, fault, client id, ordinal): the same requests in the same order are struck again. How
the requests of several live clients interleave is not in anyone's hand, and does not enter.

Where several processes serve, `first`, `nth` and `every` go by one count for all of them, which is handed in: with
`first: 3` three requests are struck, however many processes there are. A chance is decided in each process by what it
sees: each request has the chance that was asked for, but which process a connection falls to is in nobody's hand.
"""

from __future__ import annotations

import fnmatch
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.resources.fault import Select, Trigger

Count = Callable[[], int]
"""Counts one more matching request; returns how many there have been, this one included."""


@dataclass
class Counters:
    matched: int = 0
    """Requests that the selector fits."""
    fired: int = 0
    """Those that were struck."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Reason -> requests that were due and could not be struck."""
    clients: set[str] = field(default_factory=set)
    """Client ids that were struck."""


class Aim:
    """Decides for each request whether it is struck; one per fault, shared by all connections.

    `count` is what `first`, `nth` and `every` go by; absent: what this process sees.
    """

    def __init__(self, name: str, select: Select, trigger: Trigger, seed: int, count: Count | None = None) -> None:
        self.counters = Counters()
        self._name = name
        self._select = select
        self._trigger = trigger
        self._seed = seed
        self._count = itertools.count(1).__next__ if count is None else count
        self._ordinals: Counter[str] = Counter()

    def fits_client(self, client_id: str) -> bool:
        """Return whether the selector lets this client be struck."""
        return self._select.client_id is None or fnmatch.fnmatchcase(client_id, self._select.client_id)

    def fits_partition(self, topic: str | None, partition: int) -> bool:
        """Return whether the selector lets this partition be struck; None: a topic whose name is not known."""
        if self._select.topic is not None and (topic is None or not fnmatch.fnmatchcase(topic, self._select.topic)):
            return False
        return self._select.partitions is None or partition in self._select.partitions

    @property
    def any_partition(self) -> bool:
        """Whether the selector does not ask for topics or partitions."""
        return self._select.topic is None and self._select.partitions is None

    def due(self, client_id: str) -> bool:
        """Count a matching request and return whether the trigger strikes it."""
        self.counters.matched += 1
        self._ordinals[client_id] += 1
        trigger = self._trigger
        if trigger.first is not None:
            return self._count() <= trigger.first
        if trigger.nth is not None:
            return self._count() == trigger.nth
        if trigger.every is not None:
            return self._count() % trigger.every == 0
        if trigger.probability is not None:
            return self.generator(client_id).random() < trigger.probability
        return True

    def generator(self, client_id: str) -> random.Random:
        """Return the generator of this client's latest matching request."""
        return random.Random(f"{self._seed}|{self._name}|{client_id}|{self._ordinals[client_id]}")

    def struck(self, client_id: str) -> None:
        """Count a request as struck."""
        self.counters.fired += 1
        self.counters.clients.add(client_id)

    def skipped(self, reason: str) -> None:
        """Count a request that was due and could not be struck."""
        self.counters.skipped[reason] += 1
