"""What we want of the gateway, and whether a run found it: the bars.

A bar is judged only where everything was measured that it speaks of; one that is missed is shown as missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.bench.figures import PEERS, Crowd, Latency, Results, Side, Spread, Storm, Task, above, relative

Row = tuple[str, Spread | None, float, bool, str]
"""Name, figure, limit, whether the limit is a lower one, unit."""


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
    """Judge what was measured; phases and peers that were left out are left out here too."""
    rows = [*_by_itself(results), *_against_peers(results)]
    return [Bar(name, figure, limit, least, unit) for name, figure, limit, least, unit in rows if figure is not None]


def _by_itself(results: Results) -> Iterator[Row]:
    memory = results.memory.get(Side.GATEWAY)
    yield "produce, of direct", results.throughput_ratio(Task.PRODUCE, Side.GATEWAY), 0.95, True, ""
    yield "consume, of direct", results.throughput_ratio(Task.CONSUME, Side.GATEWAY), 0.8, True, ""
    yield "CPU per GB produced, of the bare relay's", results.cpu_ratio(Task.PRODUCE), 1.3, False, ""
    yield "CPU per GB consumed, of the bare relay's", results.cpu_ratio(Task.CONSUME), 1.3, False, ""
    yield "added p50, one in flight", above(results.latency, Side.GATEWAY, _p50), 0.2, False, " ms"
    yield "RSS after work on 200 connections", Spread.of([memory.loaded] if memory else []), 100.0, False, " MB"
    for name, rounds in (("per GB", results.bytes_scaling), ("per request", results.requests_scaling)):
        gains = Spread.of(each.gain for each in rounds)
        yield f"two workers of one, by the busiest one's CPU {name}", gains, 1.6, True, ""


def _against_peers(results: Results) -> Iterator[Row]:
    gateway, go, jvm = Side.GATEWAY, Side.KAFKA_PROXY, Side.KROXYLICIOUS
    for peer in PEERS:
        yield f"produce, of {peer}'s", results.throughput_ratio(Task.PRODUCE, gateway, peer), 1.0, True, ""
    yield "consume, of the best peer's", results.throughput_of_best(Task.CONSUME, gateway, PEERS), 1.3, True, ""
    for task, peer, limit in (
        (Task.PRODUCE, go, 0.7),
        (Task.CONSUME, go, 0.45),
        (Task.PRODUCE, jvm, 0.5),
        (Task.CONSUME, jvm, 0.45),
    ):
        yield f"CPU per GB {task}d, of {peer}'s", results.cpu_ratio(task, peer), limit, False, ""
    for peer in PEERS:
        yield f"p50 at a fixed rate, above {peer}'s", above(results.paced, gateway, _p50, peer), 0.0, False, " ms"
        yield f"p99 at a fixed rate, above {peer}'s", above(results.paced, gateway, _p99, peer), 0.0, False, " ms"
    yield f"round trips per second, of {go}'s", relative(results.latency, gateway, _rate, go), 1.0, True, ""
    yield f"RSS at many connections, of {jvm}'s", relative(results.crowd, gateway, _memory, jvm), 0.4, False, ""
    yield f"reconnecting clients, p99, of {jvm}'s", relative(results.storm, gateway, _storm, jvm), 0.5, False, ""


def _p50(found: Latency) -> float:
    return found.p50


def _p99(found: Latency) -> float:
    return found.p99


def _rate(found: Latency) -> float:
    return found.rate


def _memory(found: Crowd) -> float:
    return found.busy_memory


def _storm(found: Storm) -> float:
    return found.p99
