"""The session's labs: shared, healed between tests, usable from plain and from trio tests."""

import pytest
import trio
from confluent_kafka.admin import AdminClient

from appliance.harness import BlockingCluster, BlockingLab
from appliance.lab import State


def state(cluster: BlockingCluster, node_id: int) -> State:
    return cluster.brokers[node_id].state


def known_brokers(bootstrap: str) -> set[int]:
    return set(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=10).brokers)


def test_embedded_cluster_answers(embedded_cluster: BlockingCluster, fresh_name: str):
    embedded_cluster.create_topic(fresh_name, 2)
    assert known_brokers(embedded_cluster.bootstrap_servers) == set(embedded_cluster.brokers) == {111}


def test_embedded_lab_has_two_clusters(embedded_lab: BlockingLab):
    primary, standby = embedded_lab.clusters["primary"], embedded_lab.clusters["standby"]
    assert primary.bootstrap != standby.bootstrap
    assert not embedded_lab.replicating


async def test_cluster_is_driven_from_a_trio_test_through_a_thread(embedded_cluster: BlockingCluster):
    await trio.to_thread.run_sync(embedded_cluster.kill)
    assert state(embedded_cluster, 111) == "stopped"
    await trio.to_thread.run_sync(embedded_cluster.start)
    assert state(embedded_cluster, 111) == "running"


@pytest.mark.kafka
@pytest.mark.parametrize("turn", ["first", "second"])
def test_shared_cluster_is_healed_after_each_test(turn: str, kafka_cluster: BlockingCluster):
    assert kafka_cluster.brokers[1].state == "running", turn
    kafka_cluster.kill(1)
