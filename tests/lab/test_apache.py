"""Real Kafka: a broker dies and comes back, MirrorMaker copies records and groups' offsets."""

import pytest
import trio
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.harness import BlockingCluster, BlockingLab
from appliance.lab import BrokerFailed, ClusterPlan, LabError, LabPlan, State, open_lab
from appliance.lab.admin import client_settings

pytestmark = pytest.mark.kafka


def state(cluster: BlockingCluster, node_id: int) -> State:
    return cluster.brokers[node_id].state


def leaders(cluster: BlockingCluster, topic: str) -> list[int]:
    found = AdminClient(client_settings(cluster.bootstrap)).list_topics(topic, timeout=10).topics[topic].partitions
    return [partition.leader for partition in found.values()]


def write(cluster: BlockingCluster, topic: str, count: int) -> None:
    producer = Producer({**client_settings(cluster.bootstrap), "acks": "all"})
    for number in range(count):
        producer.produce(topic, str(number), str(number))
    assert producer.flush(60) == 0


def read(cluster: BlockingCluster, topic: str, group: str, count: int) -> None:
    """Read `count` records as a group and commit; pytest's timeout ends a wait in vain."""
    settings = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**client_settings(cluster.bootstrap), **settings})
    consumer.subscribe([topic])
    while count > 0:
        count -= sum(message.error() is None for message in consumer.consume(count, 0.5))
    consumer.commit(asynchronous=False)
    consumer.close()


def committed(cluster: BlockingCluster, topic: str, group: str) -> list[TopicPartition]:
    admin = AdminClient(client_settings(cluster.bootstrap))
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    return [found for found in asked[group].result().topic_partitions if found.topic == topic]


def test_leaders_move_from_a_killed_broker_and_it_comes_back(three_brokers: BlockingCluster, fresh_name: str):
    three_brokers.create_topic(fresh_name, 6)
    assert set(leaders(three_brokers, fresh_name)) == {1, 2, 3}
    three_brokers.kill(2)
    assert state(three_brokers, 2) == "stopped"
    while set(leaders(three_brokers, fresh_name)) != {1, 3}:
        pass
    write(three_brokers, fresh_name, 10)
    three_brokers.start(2)
    assert state(three_brokers, 2) == "running"
    read(three_brokers, fresh_name, fresh_name, 10)


def test_a_paused_broker_loses_its_leaders_and_comes_back(three_brokers: BlockingCluster, fresh_name: str):
    three_brokers.create_topic(fresh_name, 6)
    three_brokers.pause(3)
    assert state(three_brokers, 3) == "paused"
    others = AdminClient(client_settings(three_brokers.bootstrap[:2]))
    while {p.leader for p in others.list_topics(fresh_name, timeout=10).topics[fresh_name].partitions.values()} != {
        1,
        2,
    }:
        pass
    three_brokers.resume(3)
    assert state(three_brokers, 3) == "running"


def test_a_topic_that_exists_is_refused(three_brokers: BlockingCluster, fresh_name: str):
    three_brokers.create_topic(fresh_name, configs={"retention.ms": "1000"})
    with pytest.raises(LabError, match="already exists"):
        three_brokers.create_topic(fresh_name)


def test_mirrormaker_copies_records_and_group_offsets_and_goes_on_after_a_crash(
    replicated_lab: BlockingLab, fresh_name
):
    primary, standby = replicated_lab.clusters["primary"], replicated_lab.clusters["standby"]
    primary.create_topic(fresh_name, 1)
    write(primary, fresh_name, 20)
    read(primary, fresh_name, f"{fresh_name}-group", 15)
    read(standby, fresh_name, f"{fresh_name}-check", 20)
    while [found.offset for found in committed(standby, fresh_name, f"{fresh_name}-group")] != [15]:
        pass
    replicated_lab.stop_replication(kill=True)
    assert not replicated_lab.replicating
    write(primary, fresh_name, 5)
    replicated_lab.start_replication()
    assert replicated_lab.replicating
    read(standby, fresh_name, f"{fresh_name}-check", 5)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"process.roles": "gardener"}, "storage tool"),
        ({"log.cleaner.threads": "no number"}, "log.cleaner.threads"),
        ({"advertised.listeners": "PLAINTEXT://0.0.0.0:9"}, "expected"),
    ],
    ids=["role", "type", "listener"],
)
async def test_settings_that_kafka_refuses_are_shown_with_the_log(tmp_path, properties, message):
    plan = LabPlan((ClusterPlan("a", properties=properties),))
    with trio.fail_after(120), pytest.raises(BrokerFailed, match=message) as caught:
        async with open_lab(plan, kind="apache", directory=tmp_path):
            pass
    assert f"log {tmp_path}" in str(caught.value)
