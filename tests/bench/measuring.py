"""Round by round over the sides, phase by phase: what is done when, and what is kept of it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from confluent_kafka.admin import AdminClient

from appliance.lab import Cluster
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.bench.figures import Latency, Memory, Phase, Results, Side, Work
from tests.bench.processes import resident
from tests.bench.profiling import Profiler
from tests.bench.sides import BenchError, Way, environment

RECORD_BYTES = 1024
PING_BYTES = 64
PARTITIONS = 6
CONNECTIONS = 200
_JOB_SECONDS = 180.0
_WARM_UP_BYTES = 20_000_000
_WORK = (Phase.PRODUCE, Phase.CONSUME)


@dataclass(frozen=True)
class Plan:
    rounds: int
    megabytes: int
    """Record values that each side writes and reads in each round, 10**6 bytes."""
    trips: int
    """Round trips on each side in each round."""
    phases: frozenset[Phase]


class Bench:
    """One run. `results` grows as it goes; `tell` is told what is being done, `news` that there is a new figure."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        ways: Sequence[Way],
        directory: Path,
        *,
        tell: Callable[[str], None],
        news: Callable[[], None],
        profiler: Profiler | None = None,
    ) -> None:
        self.results = Results()
        self._plan = plan
        self._cluster = cluster
        self._ways = {way.side: way for way in ways}
        self._directory = directory
        self._tell = tell
        self._news = news
        self._profiler = profiler
        self._jobs = 0
        self._admin = AdminClient({"bootstrap.servers": ",".join(cluster.bootstrap), "log_level": 0})

    async def run(self) -> None:
        """Do everything that is planned. Raises BenchError, LabError."""
        plan = self._plan
        works = [phase for phase in _WORK if phase in plan.phases]
        if works:
            for way in self._ways.values():
                self._tell(f"warming up: {way.side}")
                await self._work(way, "warm-up", _WARM_UP_BYTES, works, keep=False)
        if Phase.LATENCY in plan.phases:
            await self._cluster.create_topic("latency", replication_factor=1)
        for number in range(plan.rounds):
            if works:
                for way in self._in_turn(number):
                    await self._work(way, f"round {number + 1} of {plan.rounds}", plan.megabytes * 10**6, works)
            if Phase.LATENCY in plan.phases:
                self._tell(f"round {number + 1} of {plan.rounds}: {plan.trips} round trips on each side")
                await self._latency(self._in_turn(number))
        if Phase.RSS in plan.phases:
            for way in self._ways.values():
                if way.pids:
                    await self._memory(way)

    def _in_turn(self, number: int) -> list[Way]:
        """Return the sides, each round with another one first: nobody is always the one with the cold cache."""
        ways = list(self._ways.values())
        first = number % len(ways)
        return ways[first:] + ways[:first]

    async def _work(self, way: Way, when: str, amount: int, works: Sequence[Phase], *, keep: bool = True) -> None:
        async with self._topic() as topic:
            job = {
                "topic": topic,
                "partitions": PARTITIONS,
                "records": amount // RECORD_BYTES,
                "size": RECORD_BYTES,
                "bootstrap": way.bootstrap,
                "pids": way.pids,
            }
            for phase in _WORK:
                if phase in works:
                    self._tell(f"{when}: {phase}, {way.side}")
                    found = await self._profiled(way, phase, job) if keep else await self._load(do=phase, **job)
                    if keep:
                        work = Work(found["seconds"], found["bytes"], found["cpu"])
                        self.results.work.setdefault((phase, way.side), []).append(work)
                        self._news()
                elif phase is Phase.PRODUCE:
                    # Something must be there to be consumed; written past all sides.
                    direct = self._ways[Side.DIRECT].bootstrap
                    await self._load(do=phase, **{**job, "bootstrap": direct, "pids": ()})

    async def _profiled(self, way: Way, phase: Phase, job: Mapping[str, Any]) -> dict[str, Any]:
        if self._profiler is None or not way.pids:
            return await self._load(do=phase, **job)
        async with self._profiler.watching(way.side, phase, way.pids[0]):
            return await self._load(do=phase, **job)

    async def _latency(self, ways: Sequence[Way]) -> None:
        bootstraps = {way.side.value: way.bootstrap for way in ways}
        job = {"bootstraps": bootstraps, "topic": "latency", "trips": self._plan.trips, "size": PING_BYTES}
        found = await self._load(do=Phase.LATENCY, **job)
        for side in self._ways:
            self.results.latency.setdefault(side, []).append(Latency(*found[side.value]))
        self._news()

    async def _memory(self, way: Way) -> None:
        self._tell(f"memory of the {way.side} with {CONNECTIONS} connections")
        pids = list(way.pids)
        idle = resident(pids).now
        async with self._topic() as topic:
            process, result = await self._start(
                {"do": "connections", "bootstrap": way.bootstrap, "topic": topic, "count": CONNECTIONS}
            )
            try:
                await self._answer(process, result)
                loaded = resident(pids)
            finally:
                await process.aclose()
        self.results.memory[way.side] = Memory(idle, loaded.now, loaded.peak)
        self._news()

    @asynccontextmanager
    async def _topic(self) -> AsyncIterator[str]:
        """A topic whose records are off the disk soon after the block."""
        self._jobs += 1
        name = f"bench-{self._jobs}"
        await self._cluster.create_topic(name, PARTITIONS, {"file.delete.delay.ms": "500"})
        yield name
        await trio.to_thread.run_sync(self._admin.delete_topics([name])[name].result)

    async def _load(self, **job: Any) -> dict[str, Any]:
        """Let the clients' process do a job; return its answer."""
        process, result = await self._start(job)
        try:
            return await self._answer(process, result)
        finally:
            await process.aclose()

    async def _start(self, job: Mapping[str, Any]) -> tuple[GuardedProcess, Path]:
        self._jobs += 1
        result = self._directory / f"load-{self._jobs}.json"
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(job), str(result)]
        return await start_guarded(command, self._directory / "load.log", environment()), result

    async def _answer(self, process: GuardedProcess, result: Path) -> dict[str, Any]:
        file = trio.Path(result)
        with trio.move_on_after(_JOB_SECONDS):
            while not await file.exists():
                if process.returncode is not None and not await file.exists():
                    raise BenchError(f"the clients' process ended early; its log ends with:\n{last_lines(process.log)}")
                await trio.sleep(0.05)
            answer: dict[str, Any] = json.loads(await file.read_text())
            if "error" in answer:
                raise BenchError(f"the clients could not do their work: {answer['error']}")
            return answer
        raise BenchError(f"the clients' work did not end within {_JOB_SECONDS:g} s; see {process.log}")
