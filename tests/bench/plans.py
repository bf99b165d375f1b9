"""How much of what is to be measured: values only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.bench.figures import Phase, Task

RECORD_BYTES = 1024
PING_BYTES = 64
PARTITIONS = 6
RATE = 5000
"""Records a second where the rate is fixed."""


class Load(NamedTuple):
    """Records that are written and then read again; a task that is None is not measured."""

    name: str
    topics: int
    size: int
    turns: int
    produce: Task | None
    consume: Task | None


@dataclass(frozen=True)
class Plan:
    """One run of the benchmark. The numbers are those of the page, `quick` has those of the smoke test."""

    rounds: int
    megabytes: int
    """Record values that each side writes and reads in each round of small records, 10**6 bytes; half of it in
    the other loads, of which no bar speaks.
    """
    trips: int
    """Round trips on each side in each round."""
    phases: frozenset[Phase]
    topics: int = 10
    turns: int = 4
    """In how many parts each side writes its megabytes, the others theirs in between."""
    passes: int = 4
    """How often each side reads what it has written, all of it in one turn."""
    paced_turns: int = 8
    turn_seconds: float = 0.5
    storm_clients: int = 1000
    storm_partitions: int = 2000
    crowd: int = 1000
    """Connections that idle."""
    crowd_seconds: float = 5.0
    connections: int = 200
    """Connections that work before the memory is looked at."""
    hammers: int = 120
    """Connections that keep the workers busy."""
    hammer_seconds: float = 5.0

    def quick(self) -> Plan:
        """Return the same in small: whether everything runs, not what it costs."""
        return replace(
            self,
            rounds=1,
            megabytes=2,
            trips=50,
            topics=2,
            turns=2,
            paced_turns=1,
            turn_seconds=0.2,
            storm_clients=20,
            storm_partitions=60,
            crowd=20,
            crowd_seconds=1.0,
            connections=6,
            hammers=6,
            hammer_seconds=0.5,
        )

    def loads(self) -> list[Load]:
        """Return what is written and read without TLS."""
        wanted: list[Load] = []
        half = self.turns // 2
        produce, consume = Phase.PRODUCE in self.phases, Phase.CONSUME in self.phases
        if produce or consume:
            tasks = (Task.PRODUCE if produce else None, Task.CONSUME if consume else None)
            wanted.append(Load("1 KB records", 1, RECORD_BYTES, self.turns, *tasks))
        if Phase.TEN_TOPICS in self.phases:
            name = f"1 KB records in {self.topics} topics"
            wanted.append(Load(name, self.topics, RECORD_BYTES, half, Task.PRODUCE_TEN, Task.CONSUME_TEN))
        if Phase.LARGE in self.phases:
            wanted.append(Load("100 KB records", 1, 100_000, half, Task.PRODUCE_100K, Task.CONSUME_100K))
            wanted.append(Load("1 MB records", 1, 1_000_000, half, Task.PRODUCE_1M, Task.CONSUME_1M))
        return wanted

    def tls_loads(self) -> list[Load]:
        """Return what is written and read with TLS between client and proxy."""
        if Phase.TLS not in self.phases:
            return []
        half = self.turns // 2
        return [Load("1 KB records over TLS", 1, RECORD_BYTES, half, Task.PRODUCE_TLS, Task.CONSUME_TLS)]
