"""The clients, in a process of their own: `python -m tests.bench.load JOB RESULT`.

JOB is JSON: `do` names the work, the rest are its arguments. RESULT is the file that gets the answer, whole or not at
all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.bench.figures import percentile
from tests.bench.processes import cpu_seconds

TURN, WARMING = 50, 5
"""Round trips that one side makes before the next has its turn, and those before them that are not counted."""
_PATIENCE = 60.0
"""Seconds without any progress after which a measurement is given up."""


def _stop_watch(pids: Sequence[int]) -> Callable[[], dict[str, Any]]:
    cpu = [cpu_seconds(pid) for pid in pids]
    start = time.perf_counter()

    def stop() -> dict[str, Any]:
        seconds = time.perf_counter() - start
        spent = sum(cpu_seconds(pid) - before for pid, before in zip(pids, cpu, strict=True))
        return {"seconds": seconds, "cpu": spent if pids else None}

    return stop


def _producer(bootstrap: str, **settings: str | int | float | bool) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "socket.nagle.disable": True,
            "log_level": 2,
            "delivery.report.only.error": True,
            **settings,
        }
    )


def produce(bootstrap: str, topic: str, partitions: int, records: int, size: int, pids: list[int]) -> dict[str, Any]:
    """Write `records` records as fast as they are taken; the clock runs from connected to all acknowledged."""
    settings = {"linger.ms": 1, "batch.size": 128 * 1024, "queue.buffering.max.kbytes": 256 * 1024}
    producer = _producer(bootstrap, **settings)
    failed: list[str] = []

    def failure(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error.str())

    value = os.urandom(size)
    for partition in range(partitions):
        producer.produce(topic, value, partition=partition, on_delivery=failure)
    producer.flush(_PATIENCE)
    stop = _stop_watch(pids)
    for _ in range(records - partitions):
        while True:
            try:
                producer.produce(topic, value, on_delivery=failure)
            except BufferError:
                producer.poll(0.05)
            else:
                break
    left = producer.flush(_PATIENCE)
    if left or failed:
        return {"error": failed[0] if failed else f"{left} records were not acknowledged"}
    return {**stop(), "bytes": (records - partitions) * size}


def consume(bootstrap: str, topic: str, partitions: int, records: int, size: int, pids: list[int]) -> dict[str, Any]:
    """Read `records` records from the start; the clock runs from connected to every broker to the last record."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False, "log_level": 2}
    )
    ends = [
        consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_PATIENCE)[1]
        for partition in range(partitions)
    ]
    if sum(ends) != records:
        return {"error": f"expected {records} records in {topic}, found {sum(ends)}"}
    # The last record of each partition first, so that every broker is connected.
    consumer.assign([TopicPartition(topic, partition, end - 1) for partition, end in enumerate(ends)])
    _read(consumer, partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    stop = _stop_watch(pids)
    _read(consumer, records)
    spent = stop()
    consumer.close()
    return {**spent, "bytes": records * size}


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
    """Write records one at a time, the sides taking short turns, so that whatever disturbs disturbs all.

    The first records of a turn are not counted: they find caches cold that a side which always works has warm. The time
    is from `produce` to the delivery report, the partition the same for all. Milliseconds.
    """
    producers = {
        side: _producer(bootstrap, **{"linger.ms": 0, "delivery.report.only.error": False})
        for side, bootstrap in bootstraps.items()
    }
    value = os.urandom(size)
    taken: dict[str, list[float]] = {side: [] for side in producers}
    order = list(producers)
    for turn in range(-1, -(-trips // TURN)):
        order.append(order.pop(0))
        for side in order:
            seconds = [_round_trip(producers[side], topic, value) for _ in range(WARMING + TURN)]
            if turn >= 0:
                taken[side] += (each * 1000 for each in seconds[WARMING:])
    return {side: [percentile(found, 0.5), percentile(found, 0.99)] for side, found in taken.items()}


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


def connections(bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Open connections to the leaders, do some work on all at once, say so in RESULT, and hold them until killed."""
    from tests.bench.many import hold  # noqa: PLC0415  # kio's messages are not for the clients that are timed

    trio.run(hold, bootstrap, topic, count, lambda: answer(sys.argv[2], {"connections": count}))
    return {}


def answer(result: str, what: dict[str, Any]) -> None:
    """Write the answer so that it is seen whole."""
    part = Path(result + ".part")
    part.write_text(json.dumps(what))
    part.rename(result)


_WORKS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "produce": produce,
    "consume": consume,
    "latency": latency,
    "connections": connections,
}

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    try:
        answer(sys.argv[2], _WORKS[job.pop("do")](**job))
    except KafkaException as problem:
        answer(sys.argv[2], {"error": str(problem.args[0])})
