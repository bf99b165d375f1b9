"""kafka-python, unmodified, through the gateway."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its own files in a way that Python 3.11 deprecates
    import kafka
    from kafka.admin import NewTopic

from tests.clients.conftest import RunningGateway

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::DeprecationWarning:kafka")]
SECONDS = 60


@pytest.fixture
def admin(gateway: RunningGateway) -> Iterator[kafka.KafkaAdminClient]:
    """An admin client behind the gateway."""
    client = kafka.KafkaAdminClient(bootstrap_servers=gateway.bootstrap)
    yield client
    client.close()


def test_what_is_produced_is_consumed_by_a_group(gateway: RunningGateway, topic: str):
    values = [f"v{number}".encode() for number in range(500)]
    producer = kafka.KafkaProducer(bootstrap_servers=gateway.bootstrap, acks="all", enable_idempotence=True)
    try:
        sent = [producer.send(topic, value, key=value) for value in values]
        ends = Counter(each.get(SECONDS).partition for each in sent)
        assert sum(ends.values()) == 500
    finally:
        producer.close(SECONDS)
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=gateway.bootstrap,
        group_id=f"group-of-{topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=SECONDS * 1000,
    )
    try:
        seen = [message.value for _, message in zip(values, consumer, strict=False)]
        consumer.commit()
        assert Counter(seen) == Counter(values)
        committed = [consumer.committed(kafka.TopicPartition(topic, each)) for each in range(3)]
        assert {number: offset for number, offset in enumerate(committed) if offset} == dict(ends)
    finally:
        consumer.close()


def test_admin_creates_and_describes(admin: kafka.KafkaAdminClient, gateway: RunningGateway, fresh_name: str):
    admin.create_topics([NewTopic(fresh_name, 4, 3)])
    admin.wait_for_topics([fresh_name])
    (described,) = admin.describe_topics([fresh_name])
    assert len(described["partitions"]) == 4
    cluster = admin.describe_cluster()
    assert {broker["port"] for broker in cluster["brokers"]} <= gateway.ports
    assert len(cluster["brokers"]) == 3
