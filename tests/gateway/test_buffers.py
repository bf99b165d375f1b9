"""Read buffers: there is always room to read into, and idle connections hold none."""

from __future__ import annotations

import pytest

from appliance.exchange.step import Refused
from appliance.gateway.budget import Budget
from appliance.gateway.buffers import Buffers, Reading


def reading_from(
    pool: Buffers, budget: Budget | None = None, evicted: list[str] | None = None, at: float = 0.0
) -> Reading:
    return Reading(pool, budget or Budget(1000), lambda: at, (evicted if evicted is not None else []).append)


def fill(reading: Reading, content: bytes, need: int = 0) -> None:
    room = reading.room(need)
    taken = min(len(room), len(content))
    room[:taken] = content[:taken]
    reading.end += taken
    if taken < len(content):
        fill(reading, content[taken:], need)


@pytest.mark.parametrize("need", [0, 30])
def test_what_is_held_survives_moving_and_growing(need: int):
    reading = reading_from(Buffers(size=8))
    fill(reading, b"abcdef")
    reading.used(4)
    fill(reading, b"ghijklmnopqrstuvwxyz", need)
    assert bytes(reading.buffer[reading.start : reading.end]) == b"efghijklmnopqrstuvwxyz"


def test_a_full_buffer_still_has_room():
    reading = reading_from(Buffers(size=8))
    fill(reading, b"12345678")
    assert len(reading.room(0)) > 0


def test_a_message_that_is_wanted_whole_gets_room_for_all_of_it():
    reading = reading_from(Buffers(size=8))
    fill(reading, b"12345678")
    assert len(reading.room(100)) == 92


def test_a_used_up_buffer_goes_back_to_the_pool():
    pool = Buffers(size=8)
    reading, other = reading_from(pool), reading_from(pool)
    fill(reading, b"1234")
    first = reading.buffer
    reading.used(4)
    assert other.room(0).obj is first.obj


def test_a_beginning_that_does_not_go_on_holds_no_buffer():
    pool = Buffers(size=64)
    slow, other = reading_from(pool), reading_from(pool)
    fill(slow, b"beginning")
    buffer = slow.buffer
    slow.used(0)
    assert other.room(0).obj is buffer.obj
    fill(slow, b" and end")
    assert bytes(slow.buffer[slow.start : slow.end]) == b"beginning and end"


def test_what_a_large_message_needed_is_given_back_when_it_is_used():
    budget = Budget(5000)
    reading = reading_from(Buffers(size=2048), budget)
    fill(reading, b"m" * 4000 + b"n" * 50, need=4050)
    assert budget.held == 4050
    reading.used(4000)
    assert budget.held == 0
    assert reading.end - reading.start == 50


def test_more_than_a_buffer_of_the_next_message_goes_on_in_a_buffer_of_the_pool():
    budget, pool = Budget(9000), Buffers(size=4096)
    reading = reading_from(pool, budget)
    fill(reading, b"m" * 4000 + b"n" * 3000, need=7000)
    reading.used(4000)
    assert (budget.held, len(reading.buffer)) == (0, 4096)
    assert bytes(reading.buffer[reading.start : reading.end]) == b"n" * 3000


def test_whoever_has_held_longest_gives_way():
    budget, evicted_first, evicted_second = Budget(250), list[str](), list[str]()
    pool = Buffers(size=8)
    first, second, third = (
        reading_from(pool, budget, evicted_first, at=1.0),
        reading_from(pool, budget, evicted_second, at=2.0),
        reading_from(pool, budget, at=3.0),
    )
    first.room(100)
    second.room(100)
    third.room(100)
    assert len(evicted_first) == 1
    assert "others needed the memory" in evicted_first[0]
    assert evicted_second == []
    assert budget.held == 200


def test_a_message_beyond_the_whole_budget_is_refused():
    with pytest.raises(Refused, match="over the limit of 50"):
        reading_from(Buffers(size=8), Budget(50)).room(51)


def test_an_unfinished_message_is_not_held_for_ever():
    budget, evicted = Budget(1000), list[str]()
    reading_from(Buffers(size=8), budget, evicted, at=10.0).room(100)
    budget.end_those_since(10.0, "too slow")
    assert evicted == []
    budget.end_those_since(10.5, "too slow")
    assert (evicted, budget.held) == (["too slow"], 0)
