"""A fault is made ready once, and counts for as long as anyone may ask."""

from __future__ import annotations

from typing import Any

from appliance.chaos.faults import ArmedFault, arm
from appliance.control.armoury import KEPT_AFTER_THE_END, Armoury, FaultCounts
from appliance.control.edition import FaultInForce
from tests.control.world import fault


def in_force(arming: int, **spec: Any) -> FaultInForce:
    return FaultInForce(name="slow", arming=arming, spec=fault(**spec).spec, seconds_left=60.0)


def strike(armed: Any, client: str = "app") -> None:
    assert isinstance(armed, ArmedFault)
    armed.counters.fired += 1
    armed.counters.clients.add(client)
    armed.counters.skipped["late"] += 1


def test_it_stays_the_same_across_editions():
    armoury = Armoury(arm)
    first = armoury.ready([in_force(1)])[1]
    strike(first)
    assert armoury.ready([in_force(1), in_force(2)])[1] is first
    assert armoury.counts_of(1) == FaultCounts(0, 1, {"late": 1}, frozenset({"app"}))
    assert armoury.counts_of(2) == armoury.counts_of(3) == FaultCounts()


def test_armed_anew_it_counts_anew():
    armoury = Armoury(arm)
    strike(armoury.ready([in_force(1)])[1])
    armoury.ready([in_force(2)])
    assert {arming: each.fired for arming, each in armoury.counts().items()} == {1: 1, 2: 0}


def test_what_is_over_still_counts_the_strikes_that_were_under_way():
    armoury = Armoury(arm)
    armed = armoury.ready([in_force(1)])[1]
    armoury.ready([])
    strike(armed)
    assert armoury.counts_of(1).fired == 1


def test_counts_are_a_value():
    armoury = Armoury(arm)
    armed = armoury.ready([in_force(1)])[1]
    before = armoury.counts_of(1)
    strike(armed)
    assert before == FaultCounts()


def test_the_oldest_that_are_over_are_forgotten():
    armoury = Armoury(arm)
    for arming in range(KEPT_AFTER_THE_END + 3):
        armoury.ready([in_force(arming)])
    assert list(armoury.counts()) == list(range(2, KEPT_AFTER_THE_END + 3))
