"""One port for many: every host name leads to one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.resources.sni import Sni, indistinct

ORDERS = Sni(bootstrap="orders.kafka.example", broker="b{node_id}.orders.kafka.example")


@given(st.integers(0, 2**31 - 1))
def test_a_brokers_name_leads_back_to_it(node_id: int):
    assert ORDERS.node_id_of(ORDERS.broker_host(node_id)) == node_id
    assert ORDERS.node_id_of(ORDERS.broker_host(node_id).upper()) == node_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "orders.kafka.example",
        "b.orders.kafka.example",
        "b01.orders.kafka.example",
        "b-1.orders.kafka.example",
        "b1.orders.kafka.example.evil.example",
        "xb1.orders.kafka.example",
        "b1.stock.kafka.example",
        "b².orders.kafka.example",
        "b99999999999.orders.kafka.example",
    ],
)
def test_other_names_lead_to_no_broker(name: str):
    assert ORDERS.node_id_of(name) is None


@pytest.mark.parametrize(
    ("bootstrap", "broker", "why"),
    [
        ("b7.kafka.example", "b{node_id}.kafka.example", "is also the name of a broker"),
        ("a.example", "b.kafka.example", "with {node_id} once"),
        ("a.example", "b{node_id}-{node_id}.example", "with {node_id} once"),
        ("a.example", "b1{node_id}.example", "no digit beside {node_id}"),
        ("a.example", "b{node_id}0.example", "no digit beside {node_id}"),
        ("a.example", "b_{node_id}.example", "expected a host name"),
        ("-a.example", "b{node_id}.example", "expected a host name"),
        ("*.example", "b{node_id}.example", "expected a host name"),
        (f"{'a' * 64}.example", "b{node_id}.example", "expected a host name"),
    ],
)
def test_names_that_cannot_be(bootstrap: str, broker: str, why: str):
    with pytest.raises(ValidationError) as error:
        Sni(bootstrap=bootstrap, broker=broker)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("bootstrap", "broker", "why"),
    [
        ("orders.kafka.example", "x{node_id}.kafka.example", "both have the host name orders.kafka.example"),
        ("b3.orders.kafka.example", "x{node_id}.kafka.example", "fits the brokers b{node_id}.orders.kafka.example too"),
        ("s.example", "b{node_id}.orders.kafka.example", "one host name can fit both"),
    ],
)
def test_listeners_that_cannot_be_told_apart(bootstrap: str, broker: str, why: str):
    other = Sni(bootstrap=bootstrap, broker=broker)
    for one, two in ((ORDERS, other), (other, ORDERS)):
        found = indistinct(one, two)
        assert found is not None
        assert why in found


def test_crossing_patterns_are_seen():
    """b1-2.example is the name of broker 1 in one and of broker 2 in the other."""
    one = Sni(bootstrap="a.example", broker="b{node_id}-2.example")
    other = Sni(bootstrap="z.example", broker="b1-{node_id}.example")
    assert indistinct(one, other) is not None


@pytest.mark.parametrize(
    "broker", ["b{node_id}.stock.kafka.example", "c{node_id}.orders.kafka.example", "b{node_id}-x.orders.kafka.example"]
)
def test_listeners_that_can_be_told_apart(broker: str):
    assert indistinct(ORDERS, Sni(bootstrap="stock.kafka.example", broker=broker)) is None
