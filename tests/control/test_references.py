"""What resources must satisfy together; every problem is listed."""

from __future__ import annotations

import pytest

from appliance.control.catalogue import Catalogue
from appliance.control.references import fault_problems, problems, referrers
from tests.control.world import ORDERS, declared, fault


def found(text: str) -> list[str]:
    return problems(Catalogue.of(declared(text)))


def test_fitting_resources_have_no_problems():
    assert found(ORDERS) == []


def test_every_dangling_reference_is_listed():
    text = """
{kind: VirtualCluster, metadata: {name: a}, spec: {cluster: x, standbys: [y, x]}}
---
{kind: Listener, metadata: {name: l}, spec: {bind: "127.0.0.1:9092", virtual_cluster: b}}
"""
    assert found(text) == [
        "VirtualCluster a: spec.cluster: there is no Cluster x",
        "VirtualCluster a: spec.standbys.0: there is no Cluster y",
        "VirtualCluster a: spec.standbys.1: there is no Cluster x",
        "VirtualCluster a: spec.standbys.1: x is said twice",
        "Listener l: spec.virtual_cluster: there is no VirtualCluster b",
    ]


LISTENER = '\n---\n{kind: Listener, metadata: {name: zweite}, spec: {bind: "%s", virtual_cluster: orders%s}}'


@pytest.mark.parametrize(
    ("bind", "more", "clash"),
    [
        (
            "127.0.0.1:19092",
            ", broker_ports: {first: 30000}",
            "its bootstrap port 19092 clashes with the bootstrap port",
        ),
        ("127.0.0.1:19095", ", broker_ports: {first: 30000}", "clashes with the broker ports 19093-19102"),
        ("127.0.0.1:20000", ", broker_ports: {first: 19100, count: 5}", "its broker ports 19100-19104 clashes"),
        ("0.0.0.0:19092", ", advertise: kafka, broker_ports: {first: 30000}", "its bootstrap port 19092 clashes"),
        ("127.0.0.1:20000", ", broker_ports: {first: 30000, pinned: {7: 19092}}", "its pinned broker port 19092"),
        ("127.0.0.1:0", ", broker_ports: {first: 30000}", "say the port"),
        ("127.0.0.1:20000", ", broker_ports: {first: 19990, count: 20}", "clashes with the bootstrap port 20000"),
    ],
)
def test_a_port_is_wanted_once(bind: str, more: str, clash: str):
    (problem,) = found(ORDERS + LISTENER % (bind, more))
    assert problem.startswith("Listener zweite: ")
    assert clash in problem


@pytest.mark.parametrize(("bind", "more"), [("127.0.0.2:19092", ""), ("127.0.0.1:19103", "")])
def test_ports_apart_do_not_clash(bind: str, more: str):
    assert found(ORDERS + LISTENER % (bind, more)) == []


def test_a_fault_refers_to_what_is_there():
    catalogue = Catalogue.of(declared())
    assert fault_problems(fault().spec, catalogue) == []
    assert fault_problems(fault(virtual_cluster="b").spec, catalogue) == [
        "spec.virtual_cluster: there is no VirtualCluster b"
    ]
    elsewhere = fault(outage={"cluster": "third", "mode": "refuse"})
    assert fault_problems(elsewhere.spec, catalogue) == [
        "spec.outage.cluster: expected a cluster of orders (primary, standby); found third"
    ]


def test_who_refers_to_what():
    catalogue = Catalogue.of(declared())
    assert referrers(catalogue, "Cluster", "standby") == ["VirtualCluster orders"]
    assert referrers(catalogue, "VirtualCluster", "orders") == ["Listener orders"]
    assert referrers(catalogue, "Listener", "orders") == []


NAMED = """
---
kind: Listener
metadata: {name: %s}
spec:
  bind: 127.0.0.1:29092
  virtual_cluster: orders
  proxy_protocol: %s
  tls: {certificate: c, private_key: k}
  sni: {bootstrap: %s.example, broker: "%s{node_id}.example"}
"""


def test_listeners_with_host_names_share_a_port():
    assert found(ORDERS + NAMED % ("a", "off", "a", "a") + NAMED % ("b", "off", "b", "b")) == []


def test_host_names_on_one_port_lead_to_one_listener():
    (problem,) = found(ORDERS + NAMED % ("a", "off", "a", "x") + NAMED % ("b", "off", "b", "x"))
    assert problem == (
        "Listener b: spec.sni: cannot be told from Listener a on 127.0.0.1:29092: "
        "one host name can fit both x{node_id}.example and x{node_id}.example"
    )


def test_listeners_on_one_port_agree_about_proxy_headers():
    (problem,) = found(ORDERS + NAMED % ("a", "required", "a", "a") + NAMED % ("b", "off", "b", "b"))
    assert problem.startswith("Listener b: spec.proxy_protocol: expected required, as Listener a on the same port")


def test_a_port_with_host_names_is_no_other_listeners():
    (problem,) = found(ORDERS + NAMED % ("a", "off", "a", "a") + LISTENER % ("127.0.0.1:29092", ""))
    assert "its bootstrap port 29092 clashes with the port 29092 of Listener a" in problem


def test_a_name_is_one_users():
    text = """
{kind: User, metadata: {name: a}, spec: {username: b}}
---
{kind: User, metadata: {name: b}, spec: {}}
"""
    assert found(text) == ["User b: spec.username: b is the name of User a already"]
