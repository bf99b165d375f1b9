from itertools import count

import pytest

from appliance.drills.access import Access
from appliance.drills.declarations import FoundCluster, declare, plan_lab, setting_text
from appliance.drills.scenario import Lab
from appliance.resources.cluster import Cluster
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster

_SECTION = Lab.model_validate(
    {
        "clusters": {"primary": {"brokers": 3, "properties": {"auto.create.topics.enable": False}}, "standby": {}},
        "replication": {"from": "primary", "to": "standby"},
        "virtual_cluster": {"name": "orders", "cluster": "primary", "standbys": ["standby"]},
        "topics": {"orders": {}},
    }
)
_FOUND = {
    "primary": FoundCluster(["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"], [1, 2, 3]),
    "standby": FoundCluster(["127.0.0.1:4"], [11]),
}


def test_the_lab_is_asked_for_clusters_whose_nodes_can_be_told_apart():
    plan = plan_lab(_SECTION)
    assert [list(cluster.node_ids) for cluster in plan.clusters] == [[1, 2, 3], [11]]
    assert plan.clusters[0].properties == {"auto.create.topics.enable": "false"}
    assert plan.replication is not None
    assert (plan.replication.source, plan.replication.target) == ("primary", "standby")


@pytest.mark.parametrize(("preserves", "replication"), [(True, "byte-preserving"), (False, "mirrormaker")])
def test_the_gateway_is_told_of_all_and_every_broker_has_a_port(preserves, replication):
    ports = count(20000)
    resources, bootstrap = declare(
        _SECTION, _FOUND, access=Access(), preserves_offsets=preserves, port=lambda: next(ports)
    )
    clusters = [each for each in resources if isinstance(each, Cluster)]
    virtual = next(each for each in resources if isinstance(each, VirtualCluster))
    listener = next(each for each in resources if isinstance(each, Listener))
    assert [each.spec.bootstrap for each in clusters] == [list(each.bootstrap) for each in _FOUND.values()]
    assert virtual.spec.replication == replication
    assert listener.spec.bind == bootstrap
    used = [listener.spec.ports().port_of(node) for node in (1, 2, 3, 11)]
    assert len({*used, int(bootstrap.rpartition(":")[2])}) == 5


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (3, "3"), ("x", "x"), (0.5, "0.5")])
def test_settings_are_written_as_kafka_reads_them(value, text):
    assert setting_text(value) == text
