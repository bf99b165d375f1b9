"""The embedded lab: actions on its broker, and the mirroring that stands in for MirrorMaker."""

import pytest
import trio
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.lab import Cluster, ClusterPlan, LabError, LabPlan, ReplicationPlan, open_lab
from appliance.lab.admin import client_settings

PLAN = LabPlan((ClusterPlan("primary"), ClusterPlan("standby")), ReplicationPlan("primary", "standby", "orders.*"))


def write(cluster: Cluster, topic: str, partition: int, value: bytes) -> None:
    producer = Producer(client_settings(cluster.bootstrap))
    producer.produce(topic, value, b"key", partition, timestamp=1_700_000_000_123, headers=[("h", b"1"), ("h", b"2")])
    assert producer.flush(10) == 0


def read(cluster: Cluster, topic: str, partition: int, count: int) -> list[Message]:
    """Read until `count` records are there; pytest's timeout ends a wait in vain."""
    consumer = Consumer({**client_settings(cluster.bootstrap), "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[Message] = []
    while len(found) < count:
        found += [message for message in consumer.consume(100, 0.2) if message.error() is None]
    consumer.close()
    return found


async def test_mirroring_keeps_partition_key_value_headers_and_timestamp_and_goes_on_after_a_stop(tmp_path):
    async with open_lab(PLAN, kind="embedded", directory=tmp_path) as lab:
        primary, standby = lab.clusters["primary"], lab.clusters["standby"]
        assert lab.replicating
        assert "does not sync group offsets" in lab.note
        await primary.create_topic("orders", 3)
        await primary.create_topic("private")
        await trio.to_thread.run_sync(write, primary, "orders", 2, b"one")
        (record,) = await trio.to_thread.run_sync(read, standby, "orders", 2, 1)
        assert (record.key(), record.value(), record.timestamp()[1]) == (b"key", b"one", 1_700_000_000_123)
        assert record.headers() == [("h", b"1"), ("h", b"2")]

        await lab.stop_replication()
        assert not lab.replicating
        await trio.to_thread.run_sync(write, primary, "orders", 2, b"two")
        await lab.start_replication()
        records = await trio.to_thread.run_sync(read, standby, "orders", 2, 2)
        assert [record.value() for record in records] == [b"one", b"two"]

        known = await trio.to_thread.run_sync(AdminClient(client_settings(standby.bootstrap)).list_topics)
        assert "private" not in known.topics


async def test_broker_can_be_killed_paused_and_started_on_its_address(tmp_path):
    async with open_lab(LabPlan((ClusterPlan("a"),)), kind="embedded", directory=tmp_path) as lab:
        cluster = lab.clusters["a"]
        bootstrap = cluster.bootstrap
        for act, state in ((cluster.pause, "paused"), (cluster.kill, "stopped"), (cluster.start, "running")):
            await act()
            await act()  # once more does nothing
            assert cluster.brokers[111].state == state
        await cluster.pause()
        await cluster.resume()
        await cluster.create_topic("a")
        assert cluster.bootstrap == bootstrap
        with pytest.raises(LabError, match="expected one of the brokers \\[111\\], found 7"):
            await cluster.kill(7)
        with pytest.raises(LabError, match="planned without"):
            await lab.start_replication()
        await cluster.stop()
        assert cluster.brokers[111].state == "stopped"
