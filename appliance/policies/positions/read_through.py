"""Stretches of which nothing is known, read through: where the reader of a connection stands in them.

What a client has from before the switch says nothing there. But what it was shown on this connection is no riddle: it
was this record of this cluster, at this difference, whatever stood at that offset on another.
"""

from __future__ import annotations

from typing import NamedTuple

from appliance.exchange.message import Peer
from appliance.policies.positions.offset_maps import Partition

MOST = 10_000
"""Readers who are remembered; the oldest are forgotten, and then told what is told where nothing is known."""


class _Read(NamedTuple):
    """Cluster offsets from `first` to before `end` were shown with one difference."""

    first: int
    end: int
    difference: int
    highest: int
    """What stands right behind the highest offset that was shown on the way here. More than `end` with the difference
    where that has fallen: some libraries leave out what is shown below their position, and stay there."""


class ReadThrough:
    """The last records that each connection was shown, by partition."""

    def __init__(self, most: int = MOST) -> None:
        self._read: dict[tuple[Peer, Partition], _Read] = {}
        self._most = most

    def note(self, peer: Peer, partition: Partition, first: int, last: int, difference: int) -> None:
        """The client is shown the cluster's records from `first` to `last`, at offsets so much higher."""
        before = self._read.pop((peer, partition), None)
        highest = last + 1 + difference
        if before is not None and before.end == first:
            highest = max(highest, before.highest)
            if before.difference == difference:
                first = before.first
        self._read[peer, partition] = _Read(first, last + 1, difference, highest)
        if len(self._read) > self._most:
            del self._read[next(iter(self._read))]

    def position(self, peer: Peer, partition: Partition, visible: int) -> int | None:
        """Return the cluster's offset for one that this client asks for, if it was shown that record or the one before
        it; else None."""
        read = self._read.get((peer, partition))
        if read is None:
            return None
        if visible == read.highest:
            return read.end
        cluster = visible - read.difference
        return cluster if read.first <= cluster <= read.end else None
