"""What the gateway's own client learns of a real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trio
from confluent_kafka import Consumer, Producer, TopicPartition

from appliance.exchange.route import Target
from appliance.gateway.client import ClusterClient, Commit, OpenTransaction, open_client
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable
from appliance.harness import BlockingCluster
from appliance.resources.envelope import parse_address
from appliance.wire.apis import Api

pytestmark = pytest.mark.kafka


def target_at(cluster: BlockingCluster) -> Target:
    return Target(cluster.name, tuple(parse_address(each) for each in cluster.bootstrap))


@asynccontextmanager
async def client_of(cluster: BlockingCluster) -> AsyncIterator[ClusterClient]:
    async with open_client(target_at(cluster), Dialer.made(lambda: datetime.now(UTC).timestamp())) as client:
        yield client


def producer(cluster: BlockingCluster, transactional_id: str | None = None) -> Producer:
    settings: dict[str, str | int | float | bool | None] = {
        "bootstrap.servers": cluster.bootstrap_servers,
        "log_level": 0,
    }
    if transactional_id is None:
        return Producer(settings)
    made = Producer({**settings, "transactional.id": transactional_id})
    made.init_transactions(30)
    return made


async def test_versions_and_the_canarys_questions(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(kafka_cluster.create_topic, fresh_name)
    async with client_of(kafka_cluster) as client:
        versions = await client.api_versions()
        assert versions[Api.PRODUCE][1] >= 11
        offset = await client.write(fresh_name, 0, b"a canary's record")
        assert offset == 0
        assert await client.reads_at(fresh_name, 0, offset)
        assert (await client.records(fresh_name, 0, 0))[0].value == b"a canary's record"
        assert await client.coordinator("group", fresh_name) == 1
        with pytest.raises(ClusterUnreachable, match="has no leader"):
            await client.write("no-such-topic", 0, b"")


async def test_groups_their_members_and_commits(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(kafka_cluster.create_topic, fresh_name)
    settings: dict[str, str | int | float | bool | None] = {
        "bootstrap.servers": kafka_cluster.bootstrap_servers,
        "group.id": fresh_name,
        "client.id": "billing-1",
        "log_level": 0,
    }
    consumer = Consumer(settings)
    try:
        consumer.subscribe([fresh_name])
        async with client_of(kafka_cluster) as client:
            while True:
                await trio.to_thread.run_sync(consumer.poll, 0.2)
                its = [each for each in await client.groups() if each.name == fresh_name]
                if [each.state for each in its] == ["Stable"]:
                    break
            (group,) = its
            assert (group.type, group.clients) == ("classic", ("billing-1",))
            assert (await client.committed([fresh_name]))[fresh_name] == {}
            consumer.commit(offsets=[TopicPartition(fresh_name, 0, 7)], asynchronous=False)
            assert (await client.committed([fresh_name]))[fresh_name] == {(fresh_name, 0): (7, "")}
            from_outside = {fresh_name: {(fresh_name, 0): Commit(3, "the consumer's own")}}
            assert await client.commit(from_outside) == {fresh_name: "UNKNOWN_MEMBER_ID"}
            await trio.to_thread.run_sync(consumer.close)
            assert await client.commit(from_outside) == {}
            assert await client.committed([fresh_name]) == from_outside
    finally:
        await trio.to_thread.run_sync(consumer.close)


async def test_a_group_that_never_was_is_committed_for(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(kafka_cluster.create_topic, fresh_name)
    commits = {f"{fresh_name}-{each}": {(fresh_name, 0): Commit(each)} for each in range(3)}
    async with client_of(kafka_cluster) as client:
        assert await client.commit(commits) == {}
        assert await client.committed(list(commits)) == commits


async def test_transactions_are_seen_and_brought_to_their_end(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(kafka_cluster.create_topic, fresh_name)
    writer = await trio.to_thread.run_sync(producer, kafka_cluster, fresh_name)
    async with client_of(kafka_cluster) as client:
        writer.begin_transaction()
        writer.produce(fresh_name, b"never committed")
        await trio.to_thread.run_sync(writer.flush, 30)
        (open_one,) = await _open_of(client, fresh_name)
        assert (open_one.state, open_one.partitions) == ("Ongoing", 1)
        assert open_one.started is not None
        await client.fence_transactional_id(fresh_name)
        while await _open_of(client, fresh_name):  # noqa: ASYNC110 - the coordinator takes its time
            await trio.sleep(0.05)
        # A record and the marker that aborts it.
        assert (await client.end_offsets({fresh_name: (0,)}))[fresh_name, 0] == 2
        assert await client.data_end(fresh_name, 0, 0, 2) == 1


async def test_the_last_record_of_a_user_is_found_behind_markers(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(kafka_cluster.create_topic, fresh_name)
    writer = producer(kafka_cluster)
    for number in range(100):
        writer.produce(fresh_name, f"{number}")
    await trio.to_thread.run_sync(writer.flush, 30)
    async with client_of(kafka_cluster) as client:
        assert await client.data_end(fresh_name, 0, 0, 100) == 100
        assert await client.data_end(fresh_name, 0, 0, 0) == 0
        transactional = await trio.to_thread.run_sync(producer, kafka_cluster, fresh_name)
        for _ in range(3):
            transactional.begin_transaction()
            transactional.produce(fresh_name, b"a record")
            await trio.to_thread.run_sync(transactional.commit_transaction, 30)
        end = 0
        while end < 106:  # the last marker is written when the commit has been answered
            end = (await client.end_offsets({fresh_name: (0,)}))[fresh_name, 0]
        assert await client.data_end(fresh_name, 0, 0, end) == 105
        assert await client.data_end(fresh_name, 0, 0, 104) == 103
        assert await client.data_end(fresh_name, 0, 105, end) == 105


async def test_settings_and_access(kafka_cluster: BlockingCluster, fresh_name: str):
    await trio.to_thread.run_sync(lambda: kafka_cluster.create_topic(fresh_name, configs={"cleanup.policy": "compact"}))
    async with client_of(kafka_cluster) as client:
        configs = await client.topic_configs([fresh_name], ["cleanup.policy", "compression.type"])
        assert configs == {fresh_name: {"cleanup.policy": "compact", "compression.type": "producer"}}
        assert await client.acls() is None, "the lab has no authorizer"


async def _open_of(client: ClusterClient, transactional_id: str) -> list[OpenTransaction]:
    return [each for each in await client.open_transactions() if each.transactional_id == transactional_id]
