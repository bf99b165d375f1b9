"""Many workers are one gateway to whoever asks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.control.armoury import FaultCounts
from appliance.fleet.merging import merged_counts, merged_facts
from appliance.fleet.messages import Facts, Report
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.gateway.server import GatewayFacts
from tests.fleet.test_messages import FACTS, FAULT_COUNTS

A_NODE = ("10.0.0.1", 9092)


def report(edition: int = 1, **facts: object) -> Report:
    return Report(edition=edition, facts=Facts.of(GatewayFacts(**{**EMPTY, **facts})))  # type: ignore[arg-type]  # by name


EMPTY: dict[str, object] = {
    "snapshot_version": 0,
    "connections": {},
    "clusters": {},
    "failures": {},
    "doors": (),
    "clients": {},
}


@settings(deadline=None)
@given(FACTS)
def test_one_worker_is_as_it_says(facts: GatewayFacts):
    merged = merged_facts([Report(edition=facts.snapshot_version, facts=Facts.of(facts))])
    assert merged.connections == facts.connections
    assert merged.clusters == facts.clusters
    assert merged.clients == facts.clients
    assert (merged.snapshot_version, merged.failures) == (facts.snapshot_version, facts.failures)
    assert merged.doors == tuple(sorted(set(facts.doors)))


def test_connections_add_up():
    key = ("orders", "primary", 1)
    merged = merged_facts([report(connections={key: 2}), report(connections={key: 3, ("orders", "primary", None): 1})])
    assert merged.connections == {key: 5, ("orders", "primary", None): 1}


def test_clients_of_one_kind_add_up_and_the_least_patient_counts():
    java, other = ClientKind("orders", "apache-kafka-java", "4.3.1"), ClientKind("orders", "", "")
    merged = merged_facts(
        [
            report(clients={java: Clientele(2, 30.0), other: Clientele(1)}),
            report(clients={java: Clientele(1, 12.0)}),
            report(clients={java: Clientele(4)}),
        ]
    )
    assert merged.clients == {java: Clientele(7, 12.0), other: Clientele(1)}


def test_what_one_worker_knows_is_known():
    merged = merged_facts(
        [report(clusters={"primary": (None, {})}), report(clusters={"primary": ("id", {1: A_NODE})}),
         report(clusters={"primary": (None, {2: A_NODE})})]
    )  # fmt: skip
    assert merged.clusters == {"primary": ("id", {1: A_NODE, 2: A_NODE})}


def test_in_effect_is_what_all_have_and_open_what_all_open():
    merged = merged_facts([report(7, doors=(("h", 1), ("h", 2))), report(8, doors=(("h", 2), ("h", 3)))])
    assert (merged.snapshot_version, merged.doors) == (7, (("h", 2),))


def test_without_a_worker_nothing_is_in_effect():
    assert merged_facts([]) == GatewayFacts(0, {}, {}, {}, ())


@settings(deadline=None)
@given(st.lists(FAULT_COUNTS, max_size=4))
def test_counts_add_up(counts: list[FaultCounts]):
    merged = merged_counts(counts)
    assert merged.matched == sum(each.matched for each in counts)
    assert merged.fired == sum(each.fired for each in counts)
    assert merged.clients == frozenset().union(*(each.clients for each in counts))
    for reason in {reason for each in counts for reason in each.skipped}:
        assert merged.skipped.get(reason, 0) == sum(each.skipped.get(reason, 0) for each in counts)
