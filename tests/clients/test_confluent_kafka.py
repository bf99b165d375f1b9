"""confluent-kafka (librdkafka), unmodified, through the gateway."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its own documented names
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from tests.clients.conftest import RunningGateway

pytestmark = pytest.mark.kafka
SECONDS = 60


def produce(producer: Producer, topic: str, values: list[str]) -> None:
    """Write the values, keyed by themselves, and return when all are acknowledged."""
    failures: list[Any] = []
    for value in values:
        producer.produce(
            topic, value, key=value, on_delivery=lambda error, _: failures.append(error) if error else None
        )
    assert producer.flush(SECONDS) == 0
    assert failures == []


def consumed(bootstrap: str, topic: str, count: int, **settings: str) -> list[str]:
    """Return the first `count` values that a group of its own reads, having committed them."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": settings.pop("group", uuid.uuid4().hex),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )
    try:
        consumer.subscribe([topic])
        values = _poll(consumer, count)
        consumer.commit(asynchronous=False)
        return values
    finally:
        consumer.close()


def test_an_idempotent_producer_and_a_classic_group_see_each_record_once(gateway: RunningGateway, topic: str):
    values = [f"v{number}" for number in range(1000)]
    with Producer({"bootstrap.servers": gateway.bootstrap, "enable.idempotence": True, "linger.ms": 5}) as producer:
        produce(producer, topic, values)
    assert Counter(consumed(gateway.bootstrap, topic, 1000)) == Counter(values)


def test_a_group_goes_on_where_it_committed(gateway: RunningGateway, topic: str):
    group = f"group-of-{topic}"
    later = [f"later{number}" for number in range(50)]
    with Producer({"bootstrap.servers": gateway.bootstrap}) as producer:
        produce(producer, topic, [f"first{number}" for number in range(50)])
        assert len(consumed(gateway.bootstrap, topic, 50, group=group)) == 50
        produce(producer, topic, later)
    assert sorted(consumed(gateway.bootstrap, topic, 50, group=group)) == sorted(later)


def test_a_group_of_the_new_protocol_sees_each_record_once(gateway: RunningGateway, topic: str):
    values = [f"v{number}" for number in range(300)]
    with Producer({"bootstrap.servers": gateway.bootstrap}) as producer:
        produce(producer, topic, values)
    seen = consumed(gateway.bootstrap, topic, 300, group_protocol="consumer")
    assert Counter(seen) == Counter(values)


def test_only_committed_transactions_are_read(gateway: RunningGateway, topic: str):
    committed = []
    with Producer({"bootstrap.servers": gateway.bootstrap, "transactional.id": f"tx-{topic}"}) as producer:
        producer.init_transactions(SECONDS)
        for turn, ending in enumerate(("commit", "abort", "commit", "abort")):
            producer.begin_transaction()
            values = [f"{ending}-{turn}-{number}" for number in range(20)]
            produce(producer, topic, values)
            if ending == "commit":
                producer.commit_transaction(SECONDS)
                committed += values
            else:
                producer.abort_transaction(SECONDS)
    assert sorted(consumed(gateway.bootstrap, topic, 40)) == sorted(committed)
    everything = consumed(gateway.bootstrap, topic, 80, isolation_level="read_uncommitted")
    assert len(everything) == 80


def test_offsets_are_committed_in_the_producers_transaction(gateway: RunningGateway, topic: str):
    settings = {"group.id": f"group-of-{topic}", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": gateway.bootstrap, **settings})
    try:
        with Producer({"bootstrap.servers": gateway.bootstrap}) as producer:
            produce(producer, topic, [f"v{number}" for number in range(30)])
        consumer.subscribe([topic])
        assert len(_poll(consumer, 30)) == 30
        with Producer({"bootstrap.servers": gateway.bootstrap, "transactional.id": f"tx-{topic}"}) as producer:
            producer.init_transactions(SECONDS)
            producer.begin_transaction()
            ends = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(ends, consumer.consumer_group_metadata(), SECONDS)
            producer.commit_transaction(SECONDS)
        committed = consumer.committed(consumer.assignment(), SECONDS)
        assert sum(each.offset for each in committed if each.offset > 0) == 30
    finally:
        consumer.close()


def test_admin_creates_and_describes(gateway: RunningGateway, fresh_name: str):
    new = NewTopic(fresh_name, 4, 3, config={"retention.ms": "123456789"})
    with AdminClient({"bootstrap.servers": gateway.bootstrap}) as admin:
        admin.create_topics([new])[fresh_name].result(SECONDS)
        described = _listed(admin, fresh_name)
        assert len(described.topics[fresh_name].partitions) == 4
        assert set(described.brokers) == {1, 2, 3}
        assert {each.port for each in described.brokers.values()} <= gateway.ports
        resource = ConfigResource(ResourceType.TOPIC, fresh_name)
        configs = admin.describe_configs([resource])[resource].result(SECONDS)
        assert configs["retention.ms"].value == "123456789"
        cluster = admin.describe_cluster().result(SECONDS)
        assert {node.port for node in cluster.nodes} <= gateway.ports
        assert cluster.controller.port in gateway.ports


def _listed(admin: AdminClient, topic: str) -> ClusterMetadata:
    """Return the cluster's metadata once the brokers have heard of the topic; the controller knows it first."""
    while topic not in (described := admin.list_topics(timeout=SECONDS)).topics:
        time.sleep(0.1)
    return described


def _poll(consumer: Consumer, count: int) -> list[str]:
    values: list[str] = []
    deadline = time.monotonic() + SECONDS
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None:
            value = message.value()
            assert message.error() is None
            assert value is not None
            values.append(value.decode())
    return values
