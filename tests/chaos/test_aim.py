"""Whom a fault strikes: the same requests in the same order are struck again."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.chaos.aim import Aim
from appliance.resources.fault import Select, Trigger


def aim(trigger: Trigger | None = None, *, seed: int = 1, name: str = "fault", **select: Any) -> Aim:
    return Aim(name, Select.model_validate(select), trigger or Trigger(), seed)


def struck(trigger: Trigger, count: int = 12) -> list[int]:
    """Return which of so many requests are struck, from 1 on."""
    target = aim(trigger)
    return [number for number in range(1, count + 1) if target.due("app")]


@pytest.mark.parametrize(
    ("trigger", "numbers"),
    [
        (Trigger(), list(range(1, 13))),
        (Trigger(first=3), [1, 2, 3]),
        (Trigger(nth=5), [5]),
        (Trigger(every=4), [4, 8, 12]),
        (Trigger(every=1), list(range(1, 13))),
        (Trigger.model_validate({"probability": "0%"}), []),
        (Trigger.model_validate({"probability": "100%"}), list(range(1, 13))),
    ],
)
def test_a_trigger_strikes_the_requests_that_it_names(trigger: Trigger, numbers: list[int]):
    assert struck(trigger) == numbers


@pytest.mark.parametrize(
    ("trigger", "numbers"), [(Trigger(first=5), [1, 2, 3, 4, 5]), (Trigger(nth=5), [5]), (Trigger(every=4), [4, 8, 12])]
)
def test_aims_in_several_processes_go_by_one_count(trigger: Trigger, numbers: list[int]):
    count = itertools.count(1).__next__
    aims = [Aim("fault", Select(), trigger, 1, count) for _ in range(3)]
    assert [number for number in range(1, 13) if aims[number % 3].due("app")] == numbers


def half(seed: int = 1) -> Aim:
    return aim(Trigger.model_validate({"probability": "50%"}), seed=seed)


@given(seed=st.integers(0, 2**32), client=st.text(max_size=20))
def test_chance_repeats_itself(seed: int, client: str):
    first, second = half(seed=seed), half(seed=seed)
    assert [first.due(client) for _ in range(30)] == [second.due(client) for _ in range(30)]


def test_chance_differs_by_seed_fault_and_client():
    def decisions(target: Aim, client: str = "app") -> list[bool]:
        return [target.due(client) for _ in range(64)]

    chance = Trigger.model_validate({"probability": "50%"})
    all_of_them = [
        decisions(aim(chance)),
        decisions(aim(chance, seed=2)),
        decisions(aim(chance, name="other")),
        decisions(aim(chance), "other"),
    ]
    assert len({tuple(each) for each in all_of_them}) == 4


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_how_clients_interleave_does_not_change_what_strikes_each(order: list[str]):
    together, alone = half(), half()
    mixed: dict[str, list[bool]] = {"a": [], "b": [], "c": []}
    for client in order:
        mixed[client].append(together.due(client))
    assert mixed == {client: [alone.due(client) for _ in range(len(mixed[client]))] for client in mixed}


def test_the_share_that_chance_strikes_is_about_the_one_asked_for():
    target = aim(Trigger.model_validate({"probability": "20%"}))
    assert 150 < sum(target.due("app") for _ in range(1000)) < 250


def test_counters_tell_matched_from_fired():
    target = aim(Trigger(nth=2))
    for client in ("a", "b", "a"):
        if target.due(client):
            target.struck(client)
    target.skipped("no answer")
    target.skipped("no answer")
    counters = target.counters
    assert (counters.matched, counters.fired, counters.clients) == (3, 1, {"b"})
    assert counters.skipped == {"no answer": 2}


@pytest.mark.parametrize(
    ("glob", "client", "fits"),
    [
        (None, "", True),
        ("orders-*", "orders-1", True),
        ("orders-*", "Orders-1", False),
        ("a?", "a", False),
        ("", "", True),
    ],
)
def test_clients_are_chosen_by_glob(glob: str | None, client: str, fits: bool):
    assert aim(client_id=glob).fits_client(client) is fits


@pytest.mark.parametrize(
    ("select", "topic", "partition", "fits"),
    [
        ({}, "orders", 0, True),
        ({}, None, 0, True),
        ({"topic": "ord*"}, "orders", 0, True),
        ({"topic": "ord*"}, "payments", 0, False),
        ({"topic": "*"}, None, 0, False),
        ({"partitions": [1, 2]}, "orders", 2, True),
        ({"partitions": [1, 2]}, "orders", 0, False),
        ({"partitions": [1]}, None, 1, True),
        ({"topic": "orders", "partitions": [1]}, "orders", 0, False),
    ],
)
def test_partitions_are_chosen_by_topic_and_number(
    select: dict[str, Any], topic: str | None, partition: int, fits: bool
):
    target = aim(**select)
    assert target.fits_partition(topic, partition) is fits
    assert target.any_partition is (not select)
