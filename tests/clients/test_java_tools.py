"""Kafka's own command-line tools (the Java clients), unmodified, through the gateway."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.clients.conftest import RunningGateway, Tools

pytestmark = pytest.mark.kafka
TIMEOUT = ("--timeout-ms", "60000")


def console_produce(tools: Tools, gateway: RunningGateway, topic: str, values: list[str]) -> None:
    """Write the values with ConsoleProducer."""
    tools.run(
        "ConsoleProducer",
        *("--bootstrap-server", gateway.bootstrap, "--topic", topic, "--command-property", "acks=all"),
        stdin="\n".join(values) + "\n",
    )


def console_consume(tools: Tools, gateway: RunningGateway, topic: str, count: int, **settings: str) -> list[str]:
    """Return what ConsoleConsumer prints."""
    arguments = ["--bootstrap-server", gateway.bootstrap, "--topic", topic, "--from-beginning", *TIMEOUT]
    for name, value in settings.items():
        arguments += ["--command-property", f"{name.replace('_', '.')}={value}"]
    return tools.run("consumer.ConsoleConsumer", *arguments, "--max-messages", str(count)).splitlines()


def test_console_producer_and_consumer_carry_each_line(tools: Tools, gateway: RunningGateway, topic: str):
    values = [f"line {number}" for number in range(200)]
    console_produce(tools, gateway, topic, values)
    assert Counter(console_consume(tools, gateway, topic, 200)) == Counter(values)


def test_a_java_group_of_the_new_protocol_reads_each_line_and_is_described(
    tools: Tools, gateway: RunningGateway, topic: str
):
    group, values = f"group-of-{topic}", [f"line {number}" for number in range(100)]
    console_produce(tools, gateway, topic, values)
    seen = console_consume(tools, gateway, topic, 100, group_protocol="consumer", group_id=group)
    assert Counter(seen) == Counter(values)
    at = ("--bootstrap-server", gateway.bootstrap)
    assert group in tools.run("consumer.group.ConsumerGroupCommand", *at, "--list").splitlines()
    described = tools.run("consumer.group.ConsumerGroupCommand", *at, "--describe", "--group", group)
    rows = [line.split() for line in described.splitlines() if line.startswith(group)]
    positions = {row[2]: (int(row[3]), int(row[4]), int(row[5])) for row in rows if row[1] == topic and row[3] != "-"}
    assert sum(current for current, _, _ in positions.values()) == 100
    assert all(current == end and lag == 0 for current, end, lag in positions.values())


def test_topics_are_created_described_and_listed(tools: Tools, gateway: RunningGateway, fresh_name: str):
    at = ("--bootstrap-server", gateway.bootstrap)
    tools.run("TopicCommand", *at, "--create", "--topic", fresh_name, "--partitions", "4", "--replication-factor", "3")
    assert fresh_name in tools.run("TopicCommand", *at, "--list").splitlines()
    described = tools.run("TopicCommand", *at, "--describe", "--topic", fresh_name)
    assert "PartitionCount: 4" in described
    partitions = re.findall(r"Partition: (\d)\s+Leader: (\d)\s+Replicas: ([\d,]+)", described)
    assert [number for number, _, _ in partitions] == ["0", "1", "2", "3"]
    assert all(sorted(replicas.split(",")) == ["1", "2", "3"] for _, _, replicas in partitions)


def test_a_transactional_java_producer_commits_what_is_then_read_committed(
    tools: Tools, gateway: RunningGateway, topic: str
):
    report = tools.run(
        "ProducerPerformance",
        *("--topic", topic, "--num-records", "3000", "--record-size", "100", "--throughput", "-1"),
        *("--transactional-id", f"tx-{topic}", "--transaction-duration-ms", "100"),
        *("--command-property", f"bootstrap.servers={gateway.bootstrap}"),
    )
    assert re.search(r"^3000 records sent", report, re.MULTILINE)
    seen = console_consume(tools, gateway, topic, 3000, isolation_level="read_committed")
    assert [len(value) for value in seen] == [100] * 3000
