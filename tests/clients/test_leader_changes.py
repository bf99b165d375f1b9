"""When leaders move, nobody is told where a broker really is, and nobody connects there."""

from __future__ import annotations

import datetime
import json
import socket
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest
import trio
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from confluent_kafka import OFFSET_BEGINNING, Consumer, ElectionType, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from kio.schema.errors import ErrorCode
from kio.schema.fetch.v17 import request as fetch_request
from kio.schema.fetch.v17 import response as fetch_response
from kio.serial import entity_reader
from kio.static.primitive import i32, i32Timedelta, i64

from appliance.harness import BlockingCluster
from tests.clients.changing_cluster import ChangingCluster
from tests.clients.conftest import RunningGateway, Tools
from tests.clients.traffic import ClientProcess, client_processes
from tests.gateway import messages

pytestmark = pytest.mark.kafka
PROGRAM = str(Path(__file__).with_name("librdkafka_traffic.py"))
PARTITIONS = 6
VICTIM = 2
SECONDS = 60


class Leaders:
    """Who leads the topic's partitions, asked of the brokers themselves."""

    def __init__(self, cluster: BlockingCluster | ChangingCluster, topic: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
        self._topic = topic
        self._bootstrap = cluster.bootstrap_servers

    def now(self) -> dict[int, int]:
        """Return partition -> leader's node id."""
        found = self._admin.list_topics(self._topic, timeout=SECONDS).topics[self._topic].partitions
        return {number: partition.leader for number, partition in found.items()}

    def of_victim(self) -> set[int]:
        """Return the partitions that the victim leads."""
        return {number for number, leader in self.now().items() if leader == VICTIM}

    def topic_id(self) -> uuid.UUID:
        """Return the topic's id."""
        described = self._admin.describe_topics(TopicCollection([self._topic]))[self._topic].result(SECONDS)
        high, low = described.topic_id.get_most_significant_bits(), described.topic_id.get_least_significant_bits()
        return uuid.UUID(int=(high % (1 << 64) << 64) + low % (1 << 64))

    def everything_written(self) -> list[str]:
        """Return all values in the topic, as the brokers have them."""
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "-", "enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
            values, ends = [], 0
            while ends < PARTITIONS:
                (message,) = consumer.consume(1, SECONDS)
                error, value = message.error(), message.value()
                if error is None:
                    values.append((value or b"").decode())
                else:
                    assert error.code() == KafkaError._PARTITION_EOF
                    ends += 1
            return values
        finally:
            consumer.close()

    async def wait_moved(self) -> None:
        """Wait until the victim leads nothing."""
        with trio.fail_after(SECONDS):
            while await trio.to_thread.run_sync(self.of_victim):  # noqa: ASYNC110 - a cluster sets no event
                await trio.sleep(0.2)

    async def restore(self) -> None:
        """Give the partitions back to the victim, which runs and is in sync again: nothing breaks off, leaders move."""
        partitions = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]

        def elect() -> None:
            self._admin.elect_leaders(ElectionType.PREFERRED, partitions).result(SECONDS)

        with trio.fail_after(SECONDS):
            while not await trio.to_thread.run_sync(self.of_victim):
                await trio.to_thread.run_sync(elect)
                await trio.sleep(0.5)


def traffic(tools: Tools, bootstrap: str, topic: str) -> dict[str, list[str]]:
    """Return the commands of clients that produce and consume until they are ended."""
    at = ("--bootstrap-server", bootstrap, "--topic", topic)
    # The tool's own default is not to try again; the client's is to.
    stubborn = tools.properties("stubborn", retries="2147483647", enable_idempotence="true")
    return {
        "librdkafka": [sys.executable, PROGRAM, bootstrap, topic],
        "java-producer": tools.command(
            "VerifiableProducer",
            *(*at, "--throughput", "100", "--acks", "-1", "--command-config", stubborn),
            *("--repeating-keys", "100"),  # keys spread over all partitions, and so over all nodes
        ),
        "java-consumer": tools.command(
            "VerifiableConsumer", *at, "--group-id", f"java-{topic}", "--reset-policy", "earliest"
        ),
    }


async def all_progress(clients: dict[str, ClientProcess]) -> None:
    """Wait until every client has gone on, writing and reading."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clients["librdkafka"].progress, "acked", "seen")
        nursery.start_soon(clients["java-producer"].progress, "producer_send_success")
        nursery.start_soon(clients["java-consumer"].progress, "records_consumed")


async def test_no_client_connects_to_a_broker_while_one_dies_and_leaders_move(
    three_brokers: BlockingCluster, gateway: RunningGateway, tools: Tools, fresh_name: str, tmp_path: Path
):
    await trio.to_thread.run_sync(three_brokers.create_topic, fresh_name, PARTITIONS)
    leaders = await trio.to_thread.run_sync(Leaders, three_brokers, fresh_name)
    led = leaders.of_victim()
    assert led, "the test is about partitions that the victim leads"
    commands = traffic(tools, gateway.bootstrap, fresh_name)
    async with client_processes(commands, tmp_path, tools.environment) as clients:
        await all_progress(clients)
        await trio.to_thread.run_sync(three_brokers.kill, VICTIM)
        await leaders.wait_moved()
        await all_progress(clients)
        await trio.to_thread.run_sync(three_brokers.start, VICTIM)
        await leaders.restore()
        await all_progress(clients)
    for name, client in clients.items():
        assert client.ports <= gateway.ports, f"{name} was seen at {client.ports - gateway.ports}"
        assert client.ports >= gateway.node_ports, f"{name} used all nodes' doors, also that of the broker that died"
    assert clients["librdkafka"].telling("failed") == []
    assert clients["java-producer"].telling("producer_send_error") == []
    acknowledged = [line.removeprefix("acked ") for line in clients["librdkafka"].telling("acked ")]
    acknowledged += [json.loads(line)["value"] for line in clients["java-producer"].telling("producer_send_success")]
    written = Counter(await trio.to_thread.run_sync(leaders.everything_written))
    assert not Counter(acknowledged) - written, "no acknowledged record is lost"
    assert set(written.values()) == {1}, "none is there twice"
    error, endpoints = await trio.to_thread.run_sync(fetch_with_an_old_epoch, gateway, leaders, min(led))
    assert error is ErrorCode.fenced_leader_epoch, "leadership has really moved"
    assert {port for _, port in endpoints.values()} <= gateway.ports
    assert len(endpoints) == 1


async def test_a_client_that_goes_around_the_gateway_would_be_seen(
    three_brokers: BlockingCluster, gateway: RunningGateway, tools: Tools, topic: str, tmp_path: Path
):
    commands = traffic(tools, three_brokers.bootstrap_servers, topic)
    del commands["java-consumer"]
    async with client_processes(commands, tmp_path, tools.environment) as clients:
        await clients["librdkafka"].progress("acked", "seen")
        await clients["java-producer"].progress("producer_send_success")
    for client in clients.values():
        assert client.ports == gateway.broker_ports


def test_a_write_to_the_wrong_node_is_told_the_leaders_door(
    three_brokers: BlockingCluster, gateway: RunningGateway, topic: str
):
    leader = Leaders(three_brokers, topic).now()[0]
    base = int(gateway.bootstrap.rpartition(":")[2])
    wrong = next(node_id for node_id in (1, 2, 3) if node_id != leader)
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1000)
    batch.append(0, 1, b"key", b"value", [])
    answer = ask(base + 1 + wrong, messages.produce(1, bytes(batch.build()), topic=topic))
    assert messages.endpoints_in_produce(answer) == {leader: ("127.0.0.1", base + 1 + leader)}


def fetch_with_an_old_epoch(
    gateway: RunningGateway, leaders: Leaders, partition: int
) -> tuple[ErrorCode, messages.Nodes]:
    """Fetch as one who has not heard of the last election; return the error and where the leader is said to be."""
    leader = leaders.now()[partition]
    base = int(gateway.bootstrap.rpartition(":")[2])
    question = fetch_request.FetchRequest(
        max_wait=i32Timedelta.parse(datetime.timedelta()),
        min_bytes=i32(0),
        topics=(
            fetch_request.FetchTopic(
                topic_id=leaders.topic_id(),
                partitions=(
                    fetch_request.FetchPartition(
                        partition=i32(partition),
                        current_leader_epoch=i32(0),
                        fetch_offset=i64(0),
                        partition_max_bytes=i32(1000),
                    ),
                ),
            ),
        ),
        forgotten_topics_data=(),
    )
    frame = messages.request(messages.FETCH, messages.FETCH_VERSION, 1, messages.bytes_of(question))
    body = ask(base + 1 + leader, frame)
    answer, _ = entity_reader(fetch_response.FetchResponse)(body, 0)
    return answer.responses[0].partitions[0].error_code, messages.endpoints_in_fetch(body)


def ask(port: int, frame: bytes) -> bytes:
    """Send a request and return the body of its (flexible) response."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as sock, sock.makefile("rb") as answers:
        sock.sendall(frame)
        size = int.from_bytes(answers.read(4), "big")
        return answers.read(size)[5:]
