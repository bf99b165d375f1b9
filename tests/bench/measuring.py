"""Round by round over the sides, phase by phase: what is done when, and what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import trio
from confluent_kafka.admin import AdminClient

from appliance.lab import Cluster
from tests.bench.clients import Clients
from tests.bench.figures import PEERS, Crowd, Latency, Memory, Phase, Results, Scaling, Side, Storm, Work
from tests.bench.plans import PARTITIONS, PING_BYTES, RATE, RECORD_BYTES, Load, Plan
from tests.bench.processes import resident
from tests.bench.profiling import Profiler
from tests.bench.sides import BenchError, Way

PEERS_WARM_UP = 15
"""Turns of produce: a JVM compiles what it does often, and is slow until then."""
_BATCH = 60
"""Records in each request that keeps the workers busy by bytes."""


@dataclass(frozen=True)
class Ways:
    """All that runs: each list has at most one way of a side."""

    plain: Sequence[Way]
    tls: Sequence[Way] = ()
    workers: Sequence[Way] = ()
    """The gateway with one worker and with two; empty where it knows no workers."""


class Step(NamedTuple):
    """Something that takes seconds; `of` is whose failure it would be, and in what."""

    text: str
    do: Callable[[], Awaitable[None]]
    of: tuple[Side, str] | None = None


@dataclass
class Bench:
    """One run. `results` grows as it goes; `tell` is told what is being done, `news` that there is a new figure."""

    plan: Plan
    cluster: Cluster
    ways: Ways
    clients: Clients
    tell: Callable[[str], None]
    news: Callable[[], None]
    profiler: Profiler | None = None
    results: Results = field(default_factory=Results)
    _topics: int = 0
    _left_out: set[tuple[Side, str]] = field(default_factory=set)

    async def run(self) -> None:
        """Do everything that is planned. Raises BenchError, LabError.

        A peer that cannot do something is noted and left out of that; our own sides have to.
        """
        steps = list(self._steps())
        for number, step in enumerate(steps, start=1):
            if step.of in self._left_out:
                continue
            self.tell(f"{number} of {len(steps)}: {step.text}")
            try:
                await step.do()
            except BenchError as error:
                if step.of is None:
                    raise
                self._leave_out(step.of, error)
            self.news()

    def _leave_out(self, of: tuple[Side, str], error: BenchError) -> None:
        if of[0] not in PEERS:
            raise error
        self._left_out.add(of)
        self.results.notes.append(f"{of[0]} was left out of {of[1]}: {error}".splitlines()[0])

    def _steps(self) -> Iterator[Step]:
        works = [(load, self.ways.plain) for load in self.plan.loads()]
        works += [(load, self.ways.tls) for load in self.plan.tls_loads() if self.ways.tls]
        for load, ways in works:
            for way in ways:
                # For us the turn will do that nobody counts.
                turns = PEERS_WARM_UP if way.side in PEERS else 0
                warm_up = partial(self._load, [way], load, turns, keep=False)
                yield self._step(f"warming up: {load.name}", way, warm_up, load.name)
        yield from self._rounds(works)
        # The storm last, for what it leaves in memory would count for the others.
        yield from self._crowds([way for way in self.ways.plain if way.pids])
        if Phase.STORM in self.plan.phases:
            yield from self._storms()
        if self.ways.workers:
            for number in range(self.plan.rounds):
                yield Step(f"{self._when(number)}: one worker and two", self._workers)

    def _rounds(self, works: Sequence[tuple[Load, Sequence[Way]]]) -> Iterator[Step]:
        plan, plain = self.plan, self.ways.plain
        if plan.phases & {Phase.LATENCY, Phase.PACED}:
            yield Step("topics for the latencies", self._make_topics)
        for number in range(plan.rounds):
            when = self._when(number)
            for load, ways in works:
                text = f"{when}: {load.name} on each side"
                yield Step(text, partial(self._load, _in_turn(ways, number), load, load.turns))
            if Phase.LATENCY in plan.phases:
                text = f"{when}: {plan.trips} round trips on each side"
                yield Step(text, partial(self._latency, _in_turn(plain, number)))
            if Phase.PACED in plan.phases:
                text = f"{when}: {RATE} records a second on each side"
                yield Step(text, partial(self._paced, _in_turn(plain, number)))

    def _storms(self) -> Iterator[Step]:
        yield Step(f"a topic of {self.plan.storm_partitions} partitions", self._make_wide_topic)
        name = f"{self.plan.storm_clients} clients reconnect"
        for number in range(-1, self.plan.rounds):
            when = self._when(number) if number >= 0 else "warming up"
            for way in _in_turn(self.ways.plain, number):
                yield self._step(f"{when}: {name}", way, partial(self._storm, way, keep=number >= 0), name)
        yield Step("deleting that topic", partial(self._delete, ["wide"]))

    def _crowds(self, ways: Sequence[Way]) -> Iterator[Step]:
        if Phase.RSS in self.plan.phases:
            name = f"memory with {self.plan.connections} connections"
            for way in ways:
                yield self._step(name, way, partial(self._memory, way), name)
        if Phase.CROWD in self.plan.phases:
            name = f"{self.plan.crowd} connections"
            for number in range(self.plan.rounds):
                for way in _in_turn(ways, number):
                    yield self._step(f"{self._when(number)}: {name}", way, partial(self._crowd, way), name)

    def _when(self, number: int) -> str:
        return f"round {number + 1} of {self.plan.rounds}"

    @staticmethod
    def _step(text: str, way: Way, do: Callable[[], Awaitable[None]], name: str) -> Step:
        return Step(f"{text}, {way.side}", do, (way.side, name))

    async def _load(self, ways: Sequence[Way], load: Load, turns: int, *, keep: bool = True) -> None:
        """Write through these ways and read again, in turns; each into topics of its own."""
        records = max(self.plan.megabytes * 10**6 // self.plan.turns // load.size, 1)
        # The clients connect with one more in each partition, and then have a turn that is not counted.
        written = load.topics * PARTITIONS + (turns + 1) * records
        writing, reading = {"turns": turns, "records": records}, {"turns": self.plan.passes, "records": written}
        async with self._some_topics(load.topics * len(ways)) as names:
            topics = {way: names[at :: len(ways)] for at, way in enumerate(ways)}
            if load.produce is None:
                # Something must be there to be consumed; written past all sides.
                direct = Way(Side.DIRECT, ",".join(self.cluster.bootstrap))
                await self._work("produce", load, {direct: names}, {**writing, "records": records * len(ways)})
            for do, task, job in (("produce", load.produce, writing), ("consume", load.consume, reading)):
                topics = {way: own for way, own in topics.items() if (way.side, load.name) not in self._left_out}
                if task is None or not topics:
                    continue
                async with self._watching([*topics] if keep else [], task):
                    done = await self._work(do, load, topics, job)
                if keep:
                    for side, work in done.items():
                        self.results.work.setdefault((task, side), []).append(work)

    async def _work(
        self, do: str, load: Load, topics: Mapping[Way, list[str]], job: Mapping[str, int]
    ) -> dict[Side, Work]:
        """Let the clients work through these ways; return what it took, without the peers that could not."""
        sides = {
            way.side.value: {
                "bootstrap": way.bootstrap,
                "topics": own,
                "pids": way.pids,
                "ca": str(way.certificate) if way.certificate else None,
            }
            for way, own in topics.items()
        }
        found = await self.clients.do(do=do, sides=sides, partitions=PARTITIONS, size=load.size, **job)
        for side, why in found["failed"].items():
            self._leave_out((Side(side), load.name), BenchError(f"the clients could not do their work: {why}"))
        return {Side(side): Work(*work) for side, work in found["done"].items()}

    async def _latency(self, ways: Sequence[Way]) -> None:
        job = {"topic": "latency", "trips": self.plan.trips, "size": PING_BYTES}
        async with self._watching(ways, "one in flight"):
            found = await self.clients.do(do="latency", bootstraps=_bootstraps(ways), **job)
        for way in ways:
            self.results.latency.setdefault(way.side, []).append(Latency(*found[way.side.value]))

    async def _paced(self, ways: Sequence[Way]) -> None:
        turns = {"rate": RATE, "turns": self.plan.paced_turns, "turn_seconds": self.plan.turn_seconds}
        async with self._watching(ways, "fixed rate"):
            found = await self.clients.do(
                do="paced", bootstraps=_bootstraps(ways), topic="paced", size=RECORD_BYTES, **turns
            )
        for way in ways:
            self.results.paced.setdefault(way.side, []).append(Latency(*found[way.side.value]))

    async def _storm(self, way: Way, *, keep: bool) -> None:
        job = {"topic": "wide", "partitions": self.plan.storm_partitions, "count": self.plan.storm_clients}
        async with self._watching([way] if keep else [], "reconnecting"):
            found = await self.clients.do(do="storm", bootstrap=way.bootstrap, **job)
        if keep:
            memory = resident(list(way.pids)).now
            storm = Storm(found["p50"], found["p99"], found["all"], memory)
            self.results.storm.setdefault(way.side, []).append(storm)

    async def _crowd(self, way: Way) -> None:
        job = {"count": self.plan.crowd, "seconds": self.plan.crowd_seconds, "size": RECORD_BYTES}
        async with self._some_topics(1) as topics:
            found = await self.clients.do(do="crowd", bootstrap=way.bootstrap, topic=topics[0], pids=way.pids, **job)
        idle, busy = (100 * found[state]["cpu"] / found[state]["seconds"] for state in ("idle", "busy"))
        crowd = Crowd(found["idle_memory"], idle, found["busy_memory"], busy)
        self.results.crowd.setdefault(way.side, []).append(crowd)

    async def _memory(self, way: Way) -> None:
        pids = list(way.pids)
        idle = resident(pids).now
        async with self._some_topics(1) as topics:
            job = {"do": "connections", "topic": topics[0], "count": self.plan.connections}
            async with self.clients.doing({**job, "bootstrap": way.bootstrap}):
                loaded = resident(pids)
        self.results.memory[way.side] = Memory(idle, loaded.now, loaded.peak)

    async def _workers(self) -> None:
        for scaling, records in ((self.results.bytes_scaling, _BATCH), (self.results.requests_scaling, 1)):
            busiest = []
            for way in self.ways.workers:
                async with self._some_topics(1) as topics:
                    job = {"count": self.plan.hammers, "seconds": self.plan.hammer_seconds, "size": RECORD_BYTES}
                    found = await self.clients.do(
                        do="hammer", bootstrap=way.bootstrap, topic=topics[0], records=records, pids=way.pids, **job
                    )
                cost = max(found["cpu"]) / found["requests"]
                busiest.append(cost * 1e6 if records == 1 else cost / (records * RECORD_BYTES) * 1e9)
            scaling.append(Scaling(*busiest))

    async def _make_topics(self) -> None:
        await self.cluster.create_topic("latency", replication_factor=1)
        await self.cluster.create_topic("paced", PARTITIONS)

    async def _make_wide_topic(self) -> None:
        # One replica: the brokers share a machine, and Metadata is all that is asked of this topic.
        await self.cluster.create_topic("wide", self.plan.storm_partitions, replication_factor=1)

    @asynccontextmanager
    async def _some_topics(self, count: int) -> AsyncIterator[list[str]]:
        """Topics whose records are off the disk soon after the block."""
        self._topics += 1
        names = [f"bench-{self._topics}-{number}" for number in range(count)]
        for name in names:
            await self.cluster.create_topic(name, PARTITIONS, {"file.delete.delay.ms": "500"})
        yield names
        await self._delete(names)

    async def _delete(self, names: list[str]) -> None:
        admin = AdminClient({"bootstrap.servers": ",".join(self.cluster.bootstrap), "log_level": 0})
        for deleted in admin.delete_topics(names).values():
            await trio.to_thread.run_sync(deleted.result)

    @asynccontextmanager
    async def _watching(self, ways: Sequence[Way], name: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for way in ways:
                if self.profiler is not None and way.side in (Side.RELAY, Side.GATEWAY):
                    await stack.enter_async_context(self.profiler.watching(way.side, name, way.pids[0]))
            yield


def _in_turn(ways: Sequence[Way], number: int) -> list[Way]:
    """Return the sides, each round with another one first: nobody is always the one with the cold cache."""
    first = number % len(ways)
    return [*ways[first:], *ways[:first]]


def _bootstraps(ways: Sequence[Way]) -> dict[str, Any]:
    return {way.side.value: way.bootstrap for way in ways}
