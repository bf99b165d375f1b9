"""What was measured, and what follows from it: ratios of the same round, their median and spread.

Only arithmetic: no clock, no process, no output. Whether a figure is good enough is for `bars` to say.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar


class Side(StrEnum):
    """A way to the brokers. Peers are there only where the user has them."""

    DIRECT = "direct"
    RELAY = "bare relay"
    GATEWAY = "gateway"
    KAFKA_PROXY = "kafka-proxy"
    KROXYLICIOUS = "kroxylicious"


PEERS = (Side.KAFKA_PROXY, Side.KROXYLICIOUS)


class Phase(StrEnum):
    """A part of the benchmark that can be run by itself."""

    PRODUCE = "produce"
    CONSUME = "consume"
    TEN_TOPICS = "ten-topics"
    LARGE = "large"
    PACED = "paced"
    LATENCY = "latency"
    TLS = "tls"
    STORM = "storm"
    CROWD = "crowd"
    RSS = "rss"
    WORKERS = "workers"


class Task(StrEnum):
    """One kind of work that is measured by how fast it goes and what CPU time it takes."""

    PRODUCE = "produce"
    CONSUME = "consume"
    PRODUCE_TEN = "produce, ten topics"
    CONSUME_TEN = "consume, ten topics"
    PRODUCE_100K = "produce, 100 KB"
    CONSUME_100K = "consume, 100 KB"
    PRODUCE_1M = "produce, 1 MB"
    CONSUME_1M = "consume, 1 MB"
    PRODUCE_TLS = "produce, TLS"
    CONSUME_TLS = "consume, TLS"


class Work(NamedTuple):
    """One side's produce or consume in one round, or in a turn of it."""

    seconds: float
    bytes: int
    cpu: float | None
    """CPU seconds of the process in between; None where there is none."""

    @classmethod
    def sum(cls, turns: Sequence[Work]) -> Work:
        """Return what was done in several turns, together."""
        cpu = [each.cpu for each in turns if each.cpu is not None]
        return cls(sum(each.seconds for each in turns), sum(each.bytes for each in turns), sum(cpu) if cpu else None)

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
    mean: float

    @property
    def rate(self) -> float:
        """Round trips in a second, where one waits for the other."""
        return 1000 / self.mean


class Storm(NamedTuple):
    """One side's reconnecting clients in one round: seconds until this share of them had its answer."""

    p50: float
    p99: float
    all: float
    memory: float
    """Resident memory of the process when all are answered, MB of 2**20 bytes; 0 where there is none."""


class Memory(NamedTuple):
    """Resident memory of a process, MB of 2**20 bytes."""

    idle: float
    loaded: float
    """With the connections open, all having done their work."""
    peak: float


class Crowd(NamedTuple):
    """What many connections cost a process in one round: MB of 2**20 bytes, and CPU time in percent of a core."""

    idle_memory: float
    idle_cpu: float
    busy_memory: float
    """While each sends a record a second."""
    busy_cpu: float


class Scaling(NamedTuple):
    """What the busiest process of a gateway did in one round; one worker's, and that of two."""

    one: float
    two: float

    @property
    def gain(self) -> float:
        """How much more two workers can do, both having a core of their own: the busiest one is the limit."""
        return self.one / self.two


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the median and the extremes; None of nothing."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1]) if found else None


_Row = TypeVar("_Row")


@dataclass
class Results:
    """Everything measured; the lists of all sides of a kind have one element per round, in order."""

    work: dict[tuple[Task, Side], list[Work]] = field(default_factory=dict)
    latency: dict[Side, list[Latency]] = field(default_factory=dict)
    """One record in flight."""
    paced: dict[Side, list[Latency]] = field(default_factory=dict)
    """At a fixed rate."""
    storm: dict[Side, list[Storm]] = field(default_factory=dict)
    crowd: dict[Side, list[Crowd]] = field(default_factory=dict)
    memory: dict[Side, Memory] = field(default_factory=dict)
    bytes_scaling: list[Scaling] = field(default_factory=list)
    """CPU seconds of the busiest worker per GB."""
    requests_scaling: list[Scaling] = field(default_factory=list)
    """CPU microseconds of the busiest worker per request of the whole gateway."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""

    @property
    def sides(self) -> list[Side]:
        """The sides of which there is anything, in their usual order."""
        found = {side for _, side in self.work}
        for each in (self.latency, self.paced, self.storm, self.crowd, self.memory):
            found |= set(each)
        return [side for side in Side if side in found]

    def throughput(self, task: Task, side: Side) -> Spread | None:
        """Return MB/s over the rounds."""
        return Spread.of(each.megabytes_per_second for each in self.work.get((task, side), ()))

    def throughput_ratio(self, task: Task, side: Side, to: Side = Side.DIRECT) -> Spread | None:
        """Return the throughput relative to another side's of the same round."""
        pairs = zip(self.work.get((task, side), ()), self.work.get((task, to), ()), strict=False)
        return Spread.of(own.megabytes_per_second / other.megabytes_per_second for own, other in pairs)

    def throughput_of_best(self, task: Task, side: Side, among: Iterable[Side]) -> Spread | None:
        """Return the throughput relative to the best of some sides, whichever that is in the round."""
        others = [rows for each in among if (rows := self.work.get((task, each)))]
        rounds = zip(self.work.get((task, side), ()), *others, strict=False)
        return Spread.of(
            own.megabytes_per_second / max(each.megabytes_per_second for each in rest) for own, *rest in rounds if rest
        )

    def cpu_per_gigabyte(self, task: Task, side: Side) -> Spread | None:
        """Return CPU seconds of the side's process per GB over the rounds."""
        values = (each.cpu_per_gigabyte for each in self.work.get((task, side), ()))
        return Spread.of(each for each in values if each is not None)

    def cpu_ratio(self, task: Task, to: Side = Side.RELAY, side: Side = Side.GATEWAY) -> Spread | None:
        """Return a side's CPU per GB relative to another's of the same round."""
        pairs = zip(self.work.get((task, side), ()), self.work.get((task, to), ()), strict=False)
        values = ((own.cpu_per_gigabyte, other.cpu_per_gigabyte) for own, other in pairs)
        return Spread.of(own / other for own, other in values if own is not None and other)


def over_rounds(rows: Mapping[Side, Sequence[_Row]], side: Side, figure: Callable[[_Row], float]) -> Spread | None:
    """Return one figure of a side over the rounds."""
    return Spread.of(figure(each) for each in rows.get(side, ()))


def above(
    rows: Mapping[Side, Sequence[_Row]], side: Side, figure: Callable[[_Row], float], to: Side = Side.DIRECT
) -> Spread | None:
    """Return a side's figure minus another's of the same round."""
    return Spread.of(
        figure(own) - figure(other) for own, other in zip(rows.get(side, ()), rows.get(to, ()), strict=False)
    )


def relative(
    rows: Mapping[Side, Sequence[_Row]], side: Side, figure: Callable[[_Row], float], to: Side
) -> Spread | None:
    """Return a side's figure divided by another's of the same round."""
    pairs = zip(rows.get(side, ()), rows.get(to, ()), strict=False)
    return Spread.of(figure(own) / figure(other) for own, other in pairs)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
