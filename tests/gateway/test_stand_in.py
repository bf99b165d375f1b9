"""Writes that a switch found at the fence are written on the new side, and their clients hear of nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from confluent_kafka import KafkaError, Message, Producer

from appliance.harness import BlockingCluster, BlockingLab
from tests.gateway import messages
from tests.gateway.scene import PATIENCE, Client, Scene, door_on, free_base, running
from tests.gateway.test_client import client_of, target_at

pytestmark = pytest.mark.kafka

PARTITIONS, WRITES = 4, 20


class Writer:
    """A producer that tries nothing twice, and what became of its records."""

    def __init__(self, bootstrap: str | None, topic: str, settings: Mapping[str, str | bool]) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[KafkaError] = []
        self._topic = topic
        plain = {} if "enable.idempotence" in settings else {"retries": 0}
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0, **plain, **settings})

    async def write(self, number: int) -> None:
        """Hand a record over, to be sent in a request of its own."""
        self._producer.produce(self._topic, f"{number}", partition=number % PARTITIONS, on_delivery=self._done)
        await trio.to_thread.run_sync(self._producer.poll, 0.02)

    async def flush(self) -> None:
        left = await trio.to_thread.run_sync(self._producer.flush, PATIENCE)
        assert not left

    def _done(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(error)
        else:
            value = message.value()
            assert value is not None
            self.acknowledged.append(value.decode())


def before(first: BlockingCluster, second: BlockingCluster) -> AbstractAsyncContextManager[Scene]:
    """Run a gateway that leads to the first of two clusters, with doors for the brokers of both."""
    nodes = {0, *first.brokers, *second.brokers}
    return running(None, door_on(free_base({0, *(each + 1 for each in nodes)})), target=target_at(first))


async def switched_beneath(writer: Writer, here: Scene, to: BlockingCluster) -> None:
    """Write one record, and all others while the fence is down and another cluster comes to serve."""
    await writer.write(0)
    await writer.flush()
    here.publish(fenced=True)
    for number in range(1, WRITES):
        await writer.write(number)
    here.publish(target=target_at(to), newcomers_wait=True)
    assert await here.gateway.move_clients("orders", pause=0) >= 1
    assert here.gateway.overdue_writes("orders") >= 1
    here.publish(fenced=False)
    while here.gateway.overdue_writes("orders"):  # noqa: ASYNC110 - the data path sets no event
        await trio.sleep(0.01)
    here.publish(newcomers_wait=False)
    await writer.flush()


async def logs_of(cluster: BlockingCluster, topic: str) -> list[list[str]]:
    """Return what is in each partition, but for the record from before, which the mirror brings to the standby."""
    async with client_of(cluster) as client:
        return [
            [
                value.decode()
                for each in await client.records(topic, partition, 0)
                if (value := each.value or b"") != b"0"
            ]
            for partition in range(PARTITIONS)
        ]


def dealt_out(numbers: range) -> list[list[str]]:
    """Return what each partition should have."""
    return [[str(each) for each in numbers if each % PARTITIONS == partition] for partition in range(PARTITIONS)]


@pytest.mark.parametrize(
    "settings",
    [{"acks": "all"}, {"acks": "1"}, {"acks": "0"}, {"enable.idempotence": True}],
    ids=["acks all", "acks 1", "acks 0", "idempotent"],
)
@pytest.mark.parametrize("way", ["to one broker", "to three brokers"])
async def test_held_writes_are_written_by_the_new_leaders_in_their_order(
    replicated_lab: BlockingLab, fresh_name: str, settings: Mapping[str, str | bool], way: str
):
    first, second = replicated_lab.clusters["primary"], replicated_lab.clusters["standby"]
    for cluster in (second, first):  # what is new on the primary, the mirror makes on the standby
        await trio.to_thread.run_sync(partial(cluster.create_topic, fresh_name, partitions=PARTITIONS))
    if way == "to three brokers":
        first, second = second, first
    async with before(first, second) as here:
        writer = Writer(here.door.spec.bind, fresh_name, settings)
        await switched_beneath(writer, here, second)
        assert writer.failed == []
        assert sorted(writer.acknowledged, key=int) == [str(each) for each in range(WRITES)]
        expected = dealt_out(range(1, WRITES))
        while settings.get("acks") == "0" and await logs_of(second, fresh_name) != expected:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.1)
        assert await logs_of(second, fresh_name) == expected


@asynccontextmanager
async def at_the_fence(
    lab: BlockingLab, topic: str, *behind: bytes, go_on: bool = True
) -> AsyncIterator[tuple[Client, BlockingCluster]]:
    """Give a client of a node that sent a write, and these requests behind it, to the fence, and the cluster that came
    to serve meanwhile."""
    first, second = lab.clusters["primary"], lab.clusters["standby"]
    await trio.to_thread.run_sync(second.create_topic, topic)
    async with before(first, second) as here:
        here.publish(held_writes_go_on=go_on)
        client = await here.client(min(first.brokers))
        await client.send(messages.hello(1))
        await client.receive()
        here.publish(fenced=True)
        await client.send(messages.produce(2, b"not a batch", topic=topic) + b"".join(behind))
        await trio.testing.wait_all_tasks_blocked(0.02)
        here.publish(target=target_at(second))
        assert await here.gateway.move_clients("orders", pause=0) == 1
        here.publish(fenced=False)
        yield client, second


async def test_who_asks_for_metadata_behind_its_writes_is_led_to_the_new_brokers(
    replicated_lab: BlockingLab, fresh_name: str
):
    async with at_the_fence(replicated_lab, fresh_name, messages.metadata(3)) as (client, second):
        assert (await client.receive())[0] == 2
        number, answer = await client.receive()
        assert number == 3
        assert messages.brokers_in(answer).keys() == second.brokers.keys()
        assert await client.rest() == b"", "with nothing under way it is moved"


async def test_any_other_request_ends_the_connection_behind_the_writes(replicated_lab: BlockingLab, fresh_name: str):
    writes = [messages.produce(each, b"not a batch", topic=fresh_name) for each in range(3, WRITES)]
    async with at_the_fence(replicated_lab, fresh_name, *writes, messages.opaque(WRITES)) as (client, _):
        assert [(await client.receive())[0] for _ in range(2, WRITES)] == [*range(2, WRITES)]
        await client.closed()


async def test_a_virtual_cluster_may_forgo_it(replicated_lab: BlockingLab, fresh_name: str):
    async with at_the_fence(replicated_lab, fresh_name, go_on=False) as (client, _):
        await client.closed()
