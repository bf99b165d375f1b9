"""The gateway's memory and file descriptors over time, and whether they stay where they were."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import trio

from tests.bench.processes import resident, tree

_EVERY = 2.0
_WARM_UP = 600.0
"""Seconds at most; a shorter soak warms up for a third of its time."""
_SLACK = (4.0, 0.05)
"""MB, and share of the median: growth that is an allocator's and not a leak's; the larger of the two counts."""


class Sample(NamedTuple):
    at: float
    """Seconds since the load began."""
    memory: float
    """MB of 2**20 bytes, all processes of the gateway."""
    descriptors: int


class Trend(NamedTuple):
    """Memory after the warm-up."""

    median: float
    per_hour: float
    """MB, by linear regression."""
    growth: float
    """MB over the time that was watched."""
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether the growth is none worth speaking of."""
        return self.growth <= self.allowed


def look(root: int, at: float) -> Sample:
    """Look at a process and all below it. A process that ends meanwhile counts as nothing."""
    memory, descriptors = 0.0, 0
    for pid in tree(root):
        try:
            memory += resident([pid]).now
            descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except (OSError, KeyError):
            continue  # a zombie has no memory to show
    return Sample(at, memory, descriptors)


async def watch(root: int, samples: list[Sample], clock: Callable[[], float]) -> None:
    """Append a sample every other second until cancelled."""
    while True:
        samples.append(look(root, clock()))
        await trio.sleep(_EVERY)


def trend(samples: Sequence[Sample], seconds: float, since: float = 0.0) -> Trend | None:
    """Return where memory goes while the load is on, None where too little was seen to tell.

    `since` is when a process began anew, and with it the warm-up.
    """
    first = since + min(_WARM_UP, (seconds - since) / 3)
    rows = [sample for sample in samples if first <= sample.at <= seconds]
    if len(rows) < 3:
        return None
    slope = statistics.linear_regression([row.at for row in rows], [row.memory for row in rows]).slope
    median = statistics.median(row.memory for row in rows)
    return Trend(median, slope * 3600, slope * (rows[-1].at - rows[0].at), max(_SLACK[0], _SLACK[1] * median))
