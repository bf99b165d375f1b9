"""Read buffers: there is always room to read into, and idle connections hold none."""

from __future__ import annotations

import pytest

from appliance.gateway.buffers import Buffers, Reading


def fill(reading: Reading, content: bytes, need: int = 0) -> None:
    room = reading.room(need)
    taken = min(len(room), len(content))
    room[:taken] = content[:taken]
    reading.end += taken
    if taken < len(content):
        fill(reading, content[taken:], need)


@pytest.mark.parametrize("need", [0, 30])
def test_what_is_held_survives_moving_and_growing(need: int):
    reading = Reading(Buffers(size=8))
    fill(reading, b"abcdef")
    reading.used(4)
    fill(reading, b"ghijklmnopqrstuvwxyz", need)
    assert bytes(reading.buffer[reading.start : reading.end]) == b"efghijklmnopqrstuvwxyz"


def test_a_full_buffer_still_has_room():
    reading = Reading(Buffers(size=8))
    fill(reading, b"12345678")
    assert len(reading.room(0)) > 0


def test_a_message_that_is_wanted_whole_gets_room_for_all_of_it():
    reading = Reading(Buffers(size=8))
    fill(reading, b"12345678")
    assert len(reading.room(100)) == 92


def test_a_used_up_buffer_goes_back_to_the_pool():
    pool = Buffers(size=8)
    reading, other = Reading(pool), Reading(pool)
    fill(reading, b"1234")
    first = reading.buffer
    reading.used(4)
    assert other.room(0).obj is first.obj
