"""The settings that make a cluster survive the loss of a broker, and MirrorMaker copy as a drill needs it."""

import itertools

import pytest

from appliance.lab import Cluster, ClusterPlan, ReplicationPlan
from appliance.lab.cluster import Node
from appliance.lab.kafka_settings import broker_properties, lay_out, mirrormaker_properties, render
from appliance.lab.runners import ProcessRunner


def properties_of(plan: ClusterPlan) -> dict[int, dict[str, str]]:
    places = lay_out(plan, itertools.count(20001).__next__)
    return {node_id: broker_properties(plan, places, node_id, f"/data/{node_id}") for node_id in plan.node_ids}


def test_one_broker_is_its_own_quorum_and_replicates_nothing():
    (properties,) = properties_of(ClusterPlan("a")).values()
    assert properties["process.roles"] == "broker,controller"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:20002"
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20001"
    assert properties["default.replication.factor"] == properties["min.insync.replicas"] == "1"


@pytest.mark.parametrize(("brokers", "controllers"), [(2, 1), (3, 3), (4, 3)])
def test_any_of_three_brokers_may_die(brokers, controllers):
    nodes = properties_of(ClusterPlan("a", brokers=brokers, first_node_id=5))
    assert [nodes[5 + i]["process.roles"] for i in range(brokers)] == [
        "broker,controller" if i < controllers else "broker" for i in range(brokers)
    ]
    for properties in nodes.values():
        assert properties["controller.quorum.voters"].count("@") == controllers
        replicated = ("3", "2") if brokers >= 3 else ("1", "1")
        assert (properties["offsets.topic.replication.factor"], properties["min.insync.replicas"]) == replicated


def test_own_properties_come_over_the_labs():
    (properties,) = properties_of(ClusterPlan("a", properties={"auto.create.topics.enable": "true", "x": "y"})).values()
    assert properties["auto.create.topics.enable"] == "true"
    assert properties["x"] == "y"


def test_mirrormaker_copies_one_way_with_as_many_replicas_as_each_end_has(tmp_path):
    def cluster(name: str, brokers: int) -> Cluster:
        return Cluster(name, [Node(i, f"127.0.0.1:{i}", ProcessRunner([], tmp_path / str(i))) for i in range(brokers)])

    plan = ReplicationPlan("primary", "standby", topics="orders.*")
    properties = mirrormaker_properties(plan, cluster("primary", 3), cluster("standby", 1))
    assert properties["primary->standby.enabled"] == "true"
    assert properties["standby->primary.enabled"] == "false"
    assert properties["primary->standby.topics"] == "orders.*,tidegate[.]lab[.]canary"
    assert properties["offset-syncs.topic.replication.factor"] == "3"
    assert properties["replication.factor"] == properties["checkpoints.topic.replication.factor"] == "1"
    assert properties["primary.bootstrap.servers"] == "127.0.0.1:0,127.0.0.1:1,127.0.0.1:2"


def test_backslashes_survive_java():
    assert render({"a": r"mm2-.*\.internal", "b": "c"}) == "a=mm2-.*\\\\.internal\nb=c\n"
