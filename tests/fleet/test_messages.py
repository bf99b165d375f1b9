"""What is said on one side is what is heard on the other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.control.armoury import FaultCounts
from appliance.control.edition import Edition
from appliance.fleet.errors import LinkBroken
from appliance.fleet.messages import (
    Adopt,
    Ask,
    Drain,
    Facts,
    Failed,
    Move,
    Moved,
    Report,
    Tidings,
    encoded,
    order_from,
    word_from,
)
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.gateway.server import GatewayFacts
from appliance.policies.positions.hold_fetch import Held
from appliance.policies.positions.members import News
from tests.control.editions import NAMES, editions

COUNTS = st.integers(0, 2**40)
FAULT_COUNTS = st.builds(
    FaultCounts, COUNTS, COUNTS, st.dictionaries(st.text(max_size=9), COUNTS, max_size=3), st.frozensets(st.text())
)
ADDRESSES = st.tuples(NAMES, st.integers(1, 65535))
FACTS = st.builds(
    GatewayFacts,
    st.integers(0, 2**40),
    st.dictionaries(st.tuples(NAMES, NAMES, st.none() | st.integers(0, 2**31)), st.integers(1, 9), max_size=4),
    st.dictionaries(
        NAMES, st.tuples(st.none() | NAMES, st.dictionaries(st.integers(0, 99), ADDRESSES, max_size=3)), max_size=3
    ),
    st.dictionaries(NAMES, st.text(), max_size=2),
    st.lists(ADDRESSES, max_size=4).map(tuple),
    st.dictionaries(
        st.builds(ClientKind, NAMES, st.text(max_size=9), st.text(max_size=9)),
        st.builds(Clientele, st.integers(1, 9), st.none() | st.floats(0, 99)),
        max_size=3,
    ),
)
REPORTS = st.builds(
    Report,
    edition=COUNTS,
    facts=FACTS.map(Facts.of),
    writes=st.dictionaries(NAMES, COUNTS, max_size=3),
    overdue=st.dictionaries(NAMES, COUNTS, max_size=3),
    held=st.dictionaries(
        NAMES,
        st.lists(st.builds(Held, NAMES, NAMES, st.dictionaries(NAMES, COUNTS), st.floats(0, 99)), max_size=3).map(
            tuple
        ),
    ),
    faults=st.dictionaries(COUNTS, FAULT_COUNTS, max_size=3),
    answers=COUNTS,
)


@settings(deadline=None)
@given(editions())
def test_an_edition_is_the_same_for_the_worker(edition: Edition):
    assert order_from(encoded(Adopt(edition=edition))) == Adopt(edition=edition)


NEWS = st.builds(News, st.sampled_from(["heard", "left", "looked"]), st.text(), st.text(), st.text(), st.text())


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.lists(NEWS, max_size=4).map(tuple), max_size=3))
def test_tidings_are_the_same_for_all_others(news: dict[str, tuple[News, ...]]):
    tidings = Tidings(news=news)
    assert word_from(encoded(tidings)) == order_from(encoded(tidings)) == tidings


@settings(deadline=None)
@given(st.sampled_from([Ask(number=3), Move(number=4, virtual_cluster="orders", pause=0.1), Drain(seconds=0.5)]))
def test_orders_arrive(order: Ask | Move | Drain):
    assert order_from(encoded(order)) == order


@settings(deadline=None)
@given(
    REPORTS
    | st.builds(Moved, number=COUNTS, connections=COUNTS, error=st.none() | st.text())
    | st.just(Failed(reason="x"))
)
def test_words_arrive(word: Report | Moved | Failed):
    assert word_from(encoded(word)) == word


@settings(deadline=None)
@given(FACTS)
def test_facts_lose_nothing_on_the_way(facts: GatewayFacts):
    arrived = Facts.of(facts)
    assert arrived.counted() == facts.connections
    assert {name: (each.cluster_id, each.nodes) for name, each in arrived.clusters.items()} == facts.clusters
    assert (arrived.failures, arrived.doors) == (facts.failures, facts.doors)
    assert arrived.clientele() == facts.clients


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"kind":"report"}', b'{"kind":"adopt","edition":{"version":"x"}}', b"\xff"]
)
def test_anything_else_is_refused(payload: bytes):
    for read in (order_from, word_from):
        with pytest.raises(LinkBroken):
            read(payload)
