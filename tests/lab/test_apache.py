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


def wait_leaders(asked: AdminClient, topic: str, wanted: set[int]) -> None:
    """Wait until the topic's leaders are `wanted`; pytest's timeout ends a wait in vain."""
    while {p.leader for p in asked.list_topics(topic, timeout=10).topics[topic].partitions.values()} != wanted:
        asked.poll(0.2)


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


def wait_committed(cluster: BlockingCluster, group: str, wanted: dict[tuple[str, int], int]) -> None:
    """Wait until a group's offsets are `wanted`; pytest's timeout ends a wait in vain."""
    asked = AdminClient(client_settings(cluster.bootstrap))
    found: dict[tuple[str, int], int] = {}
    while found != wanted:
        asked.poll(0.2)
        answer = asked.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result()
        found = {(each.topic, each.partition): each.offset for each in answer.topic_partitions}


def test_leaders_move_from_a_killed_broker_and_it_comes_back(three_brokers: BlockingCluster, fresh_name: str):
    three_brokers.create_topic(fresh_name, 6)
    asked = AdminClient(client_settings([three_brokers.bootstrap[0], three_brokers.bootstrap[2]]))
    wait_leaders(asked, fresh_name, {1, 2, 3})
    three_brokers.kill(2)
    assert state(three_brokers, 2) == "stopped"
    wait_leaders(asked, fresh_name, {1, 3})
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


def test_a_topic_begins_where_its_older_records_have_expired(three_brokers: BlockingCluster, fresh_name: str):
    three_brokers.create_topic(fresh_name, 2, log_start_offset=30)
    settings = {**client_settings(three_brokers.bootstrap), "group.id": "it only asks"}
    asked = Consumer(settings)
    watermarks = [asked.get_watermark_offsets(TopicPartition(fresh_name, each), timeout=10) for each in range(2)]
    asked.close()
    assert watermarks == [(30, 30), (30, 30)]


def test_a_topic_whose_records_may_not_be_deleted_cannot_begin_later(three_brokers: BlockingCluster, fresh_name: str):
    with pytest.raises(LabError, match="expected to begin at offset 30; found"):
        three_brokers.create_topic(fresh_name, configs={"cleanup.policy": "compact"}, log_start_offset=30)


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
    read(primary, fresh_name, f"{fresh_name}-group", 20)
    read(standby, fresh_name, f"{fresh_name}-check", 20)
    wait_committed(standby, f"{fresh_name}-group", {(fresh_name, 0): 20})
    replicated_lab.stop_replication(kill=True)
    assert not replicated_lab.replicating
    write(primary, fresh_name, 5)
    replicated_lab.start_replication()
    assert replicated_lab.replicating
    read(standby, fresh_name, f"{fresh_name}-check", 5)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"log.cleaner.threads": "some"}, "Invalid value some for configuration log.cleaner.threads"),
        ({"advertised.listeners": "PLAINTEXT://0.0.0.0:9"}, "expected"),
    ],
    ids=["type", "listener"],
)
async def test_settings_that_kafka_refuses_are_shown_with_the_log(tmp_path, properties, message):
    plan = LabPlan((ClusterPlan("a", properties=properties),))
    with trio.fail_after(120), pytest.raises(BrokerFailed, match=message) as caught:
        async with open_lab(plan, kind="apache", directory=tmp_path):
            pass
    assert f"log {tmp_path}" in str(caught.value)
