"""What a user may declare, and what is refused before anything happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.resources.cluster import ClusterSpec
from appliance.resources.documents import RESOURCE
from appliance.resources.envelope import Metadata, parse_address
from appliance.resources.fault import FaultSpec, Trigger
from appliance.resources.kinds import PLURALS
from appliance.resources.listener import BrokerPorts, ListenerSpec
from appliance.resources.virtual_cluster import VirtualClusterSpec


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9092", ("127.0.0.1", 9092)),
        ("broker-1.example:1", ("broker-1.example", 1)),
        ("[::1]:9092", ("::1", 9092)),
        ("host:0", ("host", 0)),
        ("host:65535", ("host", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":9092", "host:port", "host:65536", "host:-1", "host:²", "::1:9092", "[::1:9092", "a b:1"],
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(ValueError, match=r"expected HOST:PORT, such as broker-1\.example:9092; found"):
        parse_address(text)
    with pytest.raises(ValidationError, match="expected HOST:PORT"):
        ClusterSpec(bootstrap=[text])


def test_a_cluster_has_a_bootstrap_address():
    with pytest.raises(ValidationError):
        ClusterSpec(bootstrap=[])


# -- ports of brokers


@given(first=st.integers(1, 60_000), count=st.integers(1, 5000), node_id=st.integers(0, 2**31 - 1))
def test_a_brokers_port_follows_from_its_id_alone(first: int, count: int, node_id: int):
    port = BrokerPorts(first=first, count=count).port_of(node_id)
    assert first <= port < first + count
    assert port == BrokerPorts(first=first, count=count).port_of(node_id)
    assert BrokerPorts(first=first, count=count, pinned={node_id: 7}).port_of(node_id) == 7


def test_neighbours_never_share_a_port_and_ids_may_start_anywhere():
    ports = BrokerPorts(first=9093, count=10)
    assert [ports.port_of(each) for each in (0, 1, 9, 10, 1001)] == [9093, 9094, 9102, 9093, 9094]


def test_ports_end_at_65535():
    BrokerPorts(first=65535, count=1)
    with pytest.raises(ValidationError, match=r"first \+ count - 1 is 65536: ports end at 65535"):
        BrokerPorts(first=65535, count=2)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_pinned_port_is_a_port(port: int):
    with pytest.raises(ValidationError, match=r"pinned\.3"):
        BrokerPorts(first=9093, pinned={3: port})


# -- listeners


@pytest.mark.parametrize(
    ("bind", "first", "count"), [("h:9092", 9093, 1000), ("h:65000", 65001, 535), ("h:65534", 65535, 1)]
)
def test_without_a_word_brokers_follow_the_bootstrap_port(bind: str, first: int, count: int):
    ports = ListenerSpec(bind=bind, virtual_cluster="orders").ports()
    assert (ports.first, ports.count) == (first, count)


def test_a_listener_at_the_last_port_has_no_room_for_brokers():
    with pytest.raises(ValidationError, match="no port is left after 65535 for the brokers: say broker_ports"):
        ListenerSpec(bind="h:65535", virtual_cluster="orders")
    said = ListenerSpec(bind="h:65535", virtual_cluster="orders", broker_ports=BrokerPorts(first=9000))
    assert said.ports().first == 9000


@pytest.mark.parametrize("bind", ["0.0.0.0:9092", "[::]:9092"])
def test_a_listener_at_any_address_says_what_clients_are_told(bind: str):
    with pytest.raises(ValidationError, match="say advertise, the host name that clients are told"):
        ListenerSpec(bind=bind, virtual_cluster="orders")
    assert ListenerSpec(bind=bind, virtual_cluster="orders", advertise="kafka.example").advertise == "kafka.example"


# -- names, envelopes, faults


@pytest.mark.parametrize("name", ["a", "orders-1", "0", "a" * 63])
def test_names_are_dns_labels(name: str):
    assert Metadata(name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "Orders", "a.b", "a_b", "a" * 64, "é", "a\n"])
def test_other_names_are_refused(name: str):
    with pytest.raises(ValidationError):
        Metadata(name=name)


RESOURCES: dict[str, dict[str, Any]] = {
    "Cluster": {"bootstrap": ["h:9092"]},
    "Listener": {"bind": "h:9092", "virtual_cluster": "orders"},
    "VirtualCluster": {"cluster": "primary"},
    "User": {"groups": ["shop"]},
    "TokenRevocation": {"subject": "alice", "issued_before": "2026-11-30T12:00:00Z"},
    "Fault": {"virtual_cluster": "orders", "duration": "1m", "latency": {"delay": "1s"}},
}


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_kind_survives_the_way_through_json(kind: str):
    envelope = {"apiVersion": "tidegate/v1", "kind": kind, "metadata": {"name": "x"}, "spec": RESOURCES[kind]}
    resource = RESOURCE.validate_python(envelope)
    assert (resource.kind, resource.name) == (kind, "x")
    assert RESOURCE.validate_json(resource.model_dump_json(by_alias=True)) == resource
    assert kind in PLURALS.values()


@pytest.mark.parametrize("kind", RESOURCES)
@pytest.mark.parametrize("where", ["top", "metadata", "spec"])
def test_unknown_keys_are_errors_everywhere(kind: str, where: str):
    envelope: dict[str, Any] = {
        "apiVersion": "tidegate/v1",
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": dict(RESOURCES[kind]),
    }
    (envelope if where == "top" else envelope[where])["colour"] = "red"
    with pytest.raises(ValidationError, match="extra_forbidden"):
        RESOURCE.validate_python(envelope)


def test_a_trigger_is_one_thing():
    with pytest.raises(ValidationError, match="expected one trigger, found first, every"):
        Trigger(first=1, every=2)
    with pytest.raises(ValidationError):
        Trigger(nth=0)


def test_a_fault_has_an_end_and_a_lease():
    with pytest.raises(ValidationError, match="duration"):
        FaultSpec.model_validate({"virtual_cluster": "orders", "latency": {"delay": "1s"}})
    fault = FaultSpec.model_validate({"virtual_cluster": "orders", **RESOURCES["Fault"]})
    assert (fault.lease, fault.starts_in, fault.type, fault.apply) == (15.0, 0.0, "latency", "before")


def test_producer_ids_are_made_unique_unless_a_user_says_otherwise():
    assert VirtualClusterSpec(cluster="primary").producer_ids == "tagged"
