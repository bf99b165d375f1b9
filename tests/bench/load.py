"""The clients, in a process of their own: `python -m tests.bench.load JOB RESULT`.

JOB is JSON: `do` names the work, the rest are its arguments. RESULT is the file that gets the answer, whole or not at
all.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import trio
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.bench.figures import Work, percentile
from tests.bench.processes import cpu_seconds, resident

TURN, WARMING = 50, 5
"""Round trips that one side makes before the next has its turn, and those before them that are not counted."""
BATCHING: Mapping[str, str | int | float | bool] = {"linger.ms": 1, "batch.size": 128 * 1024}
_PATIENCE = 60.0
"""Seconds without any progress after which a measurement is given up."""


class Access(TypedDict):
    """A way, as the clients are told of it."""

    bootstrap: str
    topics: list[str]
    """Its own."""
    pids: list[int]
    """Whose CPU time counts."""
    ca: str | None


def _stop_watch(pids: Sequence[int]) -> Callable[[], dict[str, Any]]:
    cpu = [cpu_seconds(pid) for pid in pids]
    start = time.perf_counter()

    def stop() -> dict[str, Any]:
        seconds = time.perf_counter() - start
        spent = sum(cpu_seconds(pid) - before for pid, before in zip(pids, cpu, strict=True))
        return {"seconds": seconds, "cpu": spent if pids else None}

    return stop


def _connection(bootstrap: str, ca: str | None) -> dict[str, Any]:
    plain = {"bootstrap.servers": bootstrap, "socket.nagle.disable": True, "log_level": 2}
    return plain if ca is None else {**plain, "security.protocol": "ssl", "ssl.ca.location": ca}


def _producer(bootstrap: str, settings: Mapping[str, str | int | float | bool], ca: str | None = None) -> Producer:
    return Producer(
        {
            **_connection(bootstrap, ca),
            "enable.idempotence": True,
            "acks": "all",
            "delivery.report.only.error": True,
            "message.max.bytes": 2_000_000,
            **settings,
        }
    )


def produce(sides: Mapping[str, Access], partitions: int, turns: int, records: int, size: int) -> dict[str, Any]:
    """Write `records` records a turn as fast as they are taken; the clock of a turn runs until all are acknowledged."""
    value = os.urandom(size)
    return by_turns(sides, turns, records * size, lambda at: _writer(at, partitions, records, value))


def _writer(at: Access, partitions: int, records: int, value: bytes) -> Callable[[], None]:
    """Connect to every broker, and return what writes."""
    producer = _producer(at["bootstrap"], {**BATCHING, "queue.buffering.max.kbytes": 256 * 1024}, at["ca"])
    topics = at["topics"]

    def failure(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise KafkaException(error)

    def flush() -> None:
        if left := producer.flush(_PATIENCE):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} records were not acknowledged"))

    def write() -> None:
        for number in range(records):
            while True:
                try:
                    producer.produce(topics[number % len(topics)], value, on_delivery=failure)
                except BufferError:
                    producer.poll(0.05)
                else:
                    break
        flush()

    for topic in topics:
        for partition in range(partitions):
            producer.produce(topic, value, partition=partition, on_delivery=failure)
    flush()
    return write


def consume(sides: Mapping[str, Access], partitions: int, turns: int, records: int, size: int) -> dict[str, Any]:
    """Read all `records` records in each turn, from the start; the clock of a turn runs until the last one."""
    return by_turns(sides, turns, records * size, lambda at: _reader(at, partitions, records))


def _reader(at: Access, partitions: int, records: int) -> Callable[[], None]:
    """Connect to every broker, and return what reads."""
    consumer = Consumer(
        {
            **_connection(at["bootstrap"], at["ca"]),
            "group.id": "bench",
            "enable.auto.commit": False,
            # A fetch at the end of the log, there from connecting, would be waited for when the clock runs already,
            # and a full queue makes the library pause for a second: both would hide what is measured.
            "fetch.wait.max.ms": 10,
            "queued.min.messages": 10_000_000,
            "queued.max.messages.kbytes": 2_000_000,
        }
    )
    places = [(topic, partition) for topic in at["topics"] for partition in range(partitions)]
    ends = [consumer.get_watermark_offsets(TopicPartition(*place), timeout=_PATIENCE)[1] for place in places]
    if sum(ends) != records:
        wrong = f"expected {records} records in {', '.join(at['topics'])}, found {sum(ends)}"
        raise KafkaException(KafkaError(KafkaError._APPLICATION, wrong))

    def read(start: list[TopicPartition], count: int) -> None:
        consumer.assign(start)
        _read(consumer, count)
        consumer.unassign()  # else it would ask for more while others have their turns

    # The last record of each partition first, so that every broker is connected.
    last = [TopicPartition(*place, end - 1) for place, end in zip(places, ends, strict=True)]
    read(last, len(last))
    return lambda: read([TopicPartition(*place, 0) for place in places], records)


def by_turns(
    sides: Mapping[str, Access], turns: int, size: int, connect: Callable[[Access], Callable[[], None]]
) -> dict[str, Any]:
    """Return each side's Work, all turns together, and why sides failed that did: those had no more turns.

    `connect` makes a side ready and returns what is done in a turn, which is work on `size` bytes.
    """
    ready: dict[str, Callable[[], None]] = {}
    done: dict[str, list[Work]] = {side: [] for side in sides}
    failed: dict[str, str] = {}
    for turn, side in _in_turns(sides, turns):
        try:
            if turn < 0:
                ready[side] = connect(sides[side])
                ready[side]()
            elif side in ready:
                stop = _stop_watch(sides[side]["pids"])
                ready[side]()
                done[side].append(Work(bytes=size, **stop()))
        except (KafkaException, OSError) as problem:
            failed[side] = _reason(problem)
            ready.pop(side, None)
    return {"done": {side: Work.sum(done[side]) for side in ready}, "failed": failed}


def _in_turns(sides: Iterable[str], turns: int) -> Iterator[tuple[int, str]]:
    """Yield (turn, side): short turns, one side at a time, so that whatever disturbs disturbs all.

    Each turn begins with another side. Turn -1 is for warming up, and does not count.
    """
    order = list(sides)
    for turn in range(-1, turns):
        order.append(order.pop(0))
        for side in order:
            yield turn, side


def _read(consumer: Consumer, records: int) -> None:
    while records > 0:
        messages = consumer.consume(min(records, 5000), timeout=_PATIENCE)
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
        if not messages:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        records -= len(messages)


def latency(bootstraps: Mapping[str, str], topic: str, trips: int, size: int) -> dict[str, Any]:
    """Write records one at a time, the sides in turns.

    The first records of a turn are not counted: they find caches cold that a side which always works has warm. The time
    is from `produce` to the delivery report, the partition the same for all. Milliseconds.
    """
    producers = {
        side: _producer(bootstrap, {"linger.ms": 0, "delivery.report.only.error": False})
        for side, bootstrap in bootstraps.items()
    }
    value = os.urandom(size)
    taken: dict[str, list[float]] = {side: [] for side in producers}
    for turn, side in _in_turns(producers, -(-trips // TURN)):
        seconds = [_round_trip(producers[side], topic, value) for _ in range(WARMING + TURN)]
        if turn >= 0:
            taken[side] += (each * 1000 for each in seconds[WARMING:])
    return {side: _summary(found) for side, found in taken.items()}


def _summary(milliseconds: Sequence[float]) -> list[float]:
    return [percentile(milliseconds, 0.5), percentile(milliseconds, 0.99), statistics.fmean(milliseconds)]


def _round_trip(producer: Producer, topic: str, value: bytes) -> float:
    ended: list[float] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise KafkaException(error)
        ended.append(time.perf_counter())

    start = time.perf_counter()
    producer.produce(topic, value, partition=0, on_delivery=delivered)
    while not ended:
        if not producer.poll(_PATIENCE):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    return ended[0] - start


def paced(
    bootstraps: Mapping[str, str], topic: str, rate: int, turns: int, turn_seconds: float, size: int
) -> dict[str, Any]:
    """Write at a fixed rate, batched as in `produce`, the sides in turns.

    The time is from the moment at which the record was due to its delivery report, so that nothing is left out where
    the client itself fell behind. The first fifth of a turn is not counted. Milliseconds.
    """
    producers = {
        side: _producer(bootstrap, {**BATCHING, "delivery.report.only.error": False})
        for side, bootstrap in bootstraps.items()
    }
    value = os.urandom(size)
    taken: dict[str, list[float]] = {side: [] for side in producers}
    for turn, side in _in_turns(producers, turns):
        seconds = _at_rate(producers[side], topic, value, rate, int(rate * turn_seconds))
        if turn >= 0:
            taken[side] += (each * 1000 for each in seconds[len(seconds) // 5 :])
    return {side: _summary(found) for side, found in taken.items()}


def _at_rate(producer: Producer, topic: str, value: bytes, rate: int, count: int) -> list[float]:
    """Return the seconds that each record took, in the order in which they were due."""
    taken = [0.0] * count
    start = time.perf_counter()

    def delivered(number: int, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise KafkaException(error)
        taken[number] = time.perf_counter() - start - number / rate

    number = 0
    while number < count:
        due = min(int((time.perf_counter() - start) * rate) + 1, count)
        for each in range(number, due):
            producer.produce(topic, value, on_delivery=partial(delivered, each))
        number = max(number, due)
        producer.poll(0.5 / rate)
    if producer.flush(_PATIENCE):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    return taken


def connections(bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Open connections to the leaders, do some work on all at once, say so in RESULT, and hold them until killed."""
    from tests.bench.many import hold  # noqa: PLC0415  # kio's messages are not for the clients that are timed

    trio.run(hold, bootstrap, topic, count, lambda: answer(sys.argv[2], {"connections": count}))
    return {}


def crowd(bootstrap: str, topic: str, count: int, seconds: float, size: int, pids: list[int]) -> dict[str, Any]:
    """Hold many connections, idle and then with a record a second on each; return what that cost."""
    from tests.bench.many import Crowding  # noqa: PLC0415  # as above

    return trio.run(
        Crowding(bootstrap, topic, count, size, partial(_stop_watch, pids), partial(resident, pids)).run, seconds
    )


def storm(bootstrap: str, topic: str, partitions: int, count: int) -> dict[str, Any]:
    """Let many clients lose their connections, come back at once and ask for Metadata; return when they had it."""
    from tests.bench.storm import reconnect  # noqa: PLC0415  # as above

    seconds = trio.run(reconnect, bootstrap, topic, partitions, count)
    return {"p50": percentile(seconds, 0.5), "p99": percentile(seconds, 0.99), "all": max(seconds)}


def hammer(
    bootstrap: str, topic: str, count: int, seconds: float, size: int, records: int, pids: list[int]
) -> dict[str, Any]:
    """Produce on many connections without a pause for some seconds; return how often, and each process' CPU time."""
    from tests.bench.hammer import strike  # noqa: PLC0415  # as above

    before = [cpu_seconds(pid) for pid in pids]
    requests = trio.run(strike, bootstrap, topic, count, seconds, size, records)
    return {"requests": requests, "cpu": [cpu_seconds(pid) - at for pid, at in zip(pids, before, strict=True)]}


def _reason(problem: KafkaException | OSError) -> str:
    return str(problem.args[0] if isinstance(problem, KafkaException) else problem)


def _first(problems: ExceptionGroup[KafkaException | OSError]) -> KafkaException | OSError:
    found = problems.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found


def answer(result: str, what: dict[str, Any]) -> None:
    """Write the answer so that it is seen whole."""
    part = Path(result + ".part")
    part.write_text(json.dumps(what))
    part.rename(result)


_WORKS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "produce": produce,
    "consume": consume,
    "latency": latency,
    "paced": paced,
    "connections": connections,
    "crowd": crowd,
    "storm": storm,
    "hammer": hammer,
}

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    try:
        answer(sys.argv[2], _WORKS[job.pop("do")](**job))
    except* (KafkaException, OSError) as problems:
        answer(sys.argv[2], {"error": _reason(_first(problems))})
