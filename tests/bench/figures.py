"""What was measured, and what follows from it: ratios of the same round, their median and spread, bars met or not.

Only arithmetic: no clock, no process, no output.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple


class Side(StrEnum):
    DIRECT = "direct"
    RELAY = "bare relay"
    GATEWAY = "gateway"


class Phase(StrEnum):
    PRODUCE = "produce"
    CONSUME = "consume"
    LATENCY = "latency"
    RSS = "rss"


class Work(NamedTuple):
    """One side's produce or consume in one round."""

    seconds: float
    bytes: int
    cpu: float | None
    """CPU seconds of the process in between; None where there is none."""

    @property
    def megabytes_per_second(self) -> float:
        """Of record values, 10**6 bytes."""
        return self.bytes / self.seconds / 1e6

    @property
    def cpu_per_gigabyte(self) -> float | None:
        """CPU seconds for 10**9 bytes of record values."""
        return None if self.cpu is None else self.cpu / self.bytes * 1e9


class Latency(NamedTuple):
    """One side's round trips in one round, milliseconds."""

    p50: float
    p99: float


class Memory(NamedTuple):
    """Resident memory of a process, MB of 2**20 bytes."""

    idle: float
    loaded: float
    """With the connections open, all having done their work."""
    peak: float


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the median and the extremes; None of nothing."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1]) if found else None


@dataclass
class Results:
    """Everything measured; the lists of all sides of a phase have one element per round, in order."""

    work: dict[tuple[Phase, Side], list[Work]] = field(default_factory=dict)
    latency: dict[Side, list[Latency]] = field(default_factory=dict)
    memory: dict[Side, Memory] = field(default_factory=dict)

    def throughput(self, phase: Phase, side: Side) -> Spread | None:
        """Return MB/s over the rounds."""
        return Spread.of(each.megabytes_per_second for each in self.work.get((phase, side), ()))

    def throughput_ratio(self, phase: Phase, side: Side) -> Spread | None:
        """Return the throughput relative to direct of the same round."""
        pairs = zip(self.work.get((phase, side), ()), self.work.get((phase, Side.DIRECT), ()), strict=False)
        return Spread.of(own.megabytes_per_second / direct.megabytes_per_second for own, direct in pairs)

    def cpu_per_gigabyte(self, phase: Phase, side: Side) -> Spread | None:
        """Return CPU seconds of the side's process per GB over the rounds."""
        values = (each.cpu_per_gigabyte for each in self.work.get((phase, side), ()))
        return Spread.of(each for each in values if each is not None)

    def cpu_ratio(self, phase: Phase) -> Spread | None:
        """Return the gateway's CPU per GB relative to the bare relay's of the same round."""
        pairs = zip(self.work.get((phase, Side.GATEWAY), ()), self.work.get((phase, Side.RELAY), ()), strict=False)
        values = ((own.cpu_per_gigabyte, yardstick.cpu_per_gigabyte) for own, yardstick in pairs)
        return Spread.of(own / yardstick for own, yardstick in values if own is not None and yardstick)

    def round_trip(self, side: Side, which: Literal["p50", "p99"]) -> Spread | None:
        """Return the round trip in milliseconds over the rounds."""
        return Spread.of(getattr(each, which) for each in self.latency.get(side, ()))

    def added(self, side: Side, which: Literal["p50", "p99"]) -> Spread | None:
        """Return the milliseconds above direct of the same round."""
        pairs = zip(self.latency.get(side, ()), self.latency.get(Side.DIRECT, ()), strict=False)
        return Spread.of(getattr(own, which) - getattr(direct, which) for own, direct in pairs)


class Bar(NamedTuple):
    """A figure of the gateway held against what we want; the median decides."""

    name: str
    figure: Spread
    limit: float
    at_least: bool
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median is on the right side of the limit."""
        return self.figure.median >= self.limit if self.at_least else self.figure.median <= self.limit

    @property
    def wanted(self) -> str:
        """The limit in words."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"


def bars(results: Results) -> Sequence[Bar]:
    """Judge what was measured; phases that were left out are left out here too."""
    memory = results.memory.get(Side.GATEWAY)
    rows = (
        ("produce, of direct", results.throughput_ratio(Phase.PRODUCE, Side.GATEWAY), 0.9, True, ""),
        ("consume, of direct", results.throughput_ratio(Phase.CONSUME, Side.GATEWAY), 0.75, True, ""),
        ("CPU per GB produced, of the bare relay's", results.cpu_ratio(Phase.PRODUCE), 1.3, False, ""),
        ("CPU per GB consumed, of the bare relay's", results.cpu_ratio(Phase.CONSUME), 1.3, False, ""),
        ("added p50", results.added(Side.GATEWAY, "p50"), 0.2, False, " ms"),
        ("RSS with the connections open", Spread.of([memory.loaded] if memory else []), 100.0, False, " MB"),
    )
    return [Bar(name, figure, limit, least, unit) for name, figure, limit, least, unit in rows if figure is not None]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
