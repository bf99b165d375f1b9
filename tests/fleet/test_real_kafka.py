"""Two workers before three real brokers, driven by librdkafka."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from confluent_kafka import Consumer, KafkaError, Message, Producer

from appliance.harness import BlockingCluster
from appliance.remote.answers import StatusAnswer
from appliance.remote.client import ControlApi
from tests.cli.gateway import Served, served
from tests.gateway.scene import free_base

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

RECORDS = 20_000


@pytest.fixture
def gateway(three_brokers: BlockingCluster, tmp_path: Path) -> Iterator[Served]:
    listen = f"127.0.0.1:{free_base(range(5))}"
    options = ["--to", three_brokers.bootstrap_servers, "--listen", listen, "--api", "127.0.0.1:0", "--workers", "2"]
    with served(tmp_path / "gateway", *options, "--state", tmp_path / "state") as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def topic(three_brokers: BlockingCluster, fresh_name: str) -> str:
    three_brokers.create_topic(fresh_name, 6)
    return fresh_name


def status(gateway: Served) -> StatusAnswer:
    async def ask() -> StatusAnswer:
        assert gateway.ready.token_file is not None
        async with ControlApi(str(gateway.ready.api), token=gateway.ready.token_file.read_text().strip()) as api:
            return await api.status()

    return trio.run(ask)


class Load:
    """An idempotent producer, and what became of each record."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.acknowledged: set[bytes] = set()
        self.failed: list[str] = []
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1000,
            }
        )

    def send(self, numbers: range) -> None:
        """Send so many records, as fast as they are taken."""
        for number in numbers:
            while True:
                try:
                    self._producer.produce(self._topic, value=str(number).encode(), on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)

    def finish(self) -> None:
        """Wait for the last answer."""
        assert self._producer.flush(120) == 0

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acknowledged.add(message.value() or b"")


def consumed(bootstrap: str, topic: str, count: int, **settings: Any) -> Counter[bytes]:
    """Read so many records in a group."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{topic}-readers", "auto.offset.reset": "earliest", **settings}
    )
    consumer.subscribe([topic])
    values: Counter[bytes] = Counter()
    while values.total() < count:
        for message in consumer.consume(500, 60.0):
            assert message.error() is None, message.error()
            values[message.value() or b""] += 1
    consumer.close()
    return values


def test_records_go_through_all_workers_once(gateway: Served, topic: str):
    bootstrap = gateway.ready.listeners[0].bootstrap
    loads = [Load(bootstrap, topic) for _ in range(4)]
    for number, load in enumerate(loads):
        load.send(range(number * 1000, (number + 1) * 1000))
        load.finish()
    answer = status(gateway)
    assert all(each.connections for each in answer.workers), "16 connections on one of two workers: once in 30,000 runs"
    assert sum(each.connections for each in answer.workers) == answer.virtual_clusters[0].connections
    values = consumed(bootstrap, topic, 4000)
    assert (len(values), set(values.values())) == (4000, {1})


def test_a_worker_that_is_killed_under_load_loses_nothing_that_was_acknowledged(
    gateway: Served, topic: str, three_brokers: BlockingCluster
):
    load = Load(gateway.ready.listeners[0].bootstrap, topic)
    load.send(range(RECORDS // 2))
    victim = max(status(gateway).workers, key=lambda each: each.connections)
    assert victim.connections
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    load.send(range(RECORDS // 2, RECORDS))
    load.finish()
    assert load.failed == []
    assert len(load.acknowledged) == RECORDS
    stored = consumed(three_brokers.bootstrap_servers, topic, RECORDS)
    assert set(stored) == load.acknowledged
    assert set(stored.values()) == {1}
    while any(each.pid is None or not each.snapshot for each in status(gateway).workers):
        pass
    assert sorted(each.restarts for each in status(gateway).workers) == [0, 1]
