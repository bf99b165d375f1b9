"""Reading through what is not known: each connection goes on where it was shown records, at what it was shown."""

from __future__ import annotations

from appliance.exchange.message import Peer
from appliance.policies.positions.read_through import ReadThrough

READER = Peer("reader", 1)
ORDERS = ("orders", 0)


def reading(*batches: tuple[int, int, int]) -> ReadThrough:
    through = ReadThrough()
    for batch in batches:
        through.note(READER, ORDERS, *batch)
    return through


def test_what_was_shown_is_found_again_and_what_comes_behind_it():
    through = reading((10, 19, 5), (20, 29, 5))
    assert [through.position(READER, ORDERS, each) for each in (14, 15, 34, 35, 36)] == [None, 10, 29, 30, None]


def test_who_stays_where_it_is_while_lower_offsets_are_shown_goes_on_behind_them():
    through = reading((10, 29, 5), (30, 34, -10), (35, 39, -10))
    assert through.position(READER, ORDERS, 35) == 40
    assert [through.position(READER, ORDERS, each) for each in (20, 30, 31)] == [30, 40, None]


def test_who_begins_to_read_elsewhere_is_not_led_back():
    through = reading((10, 29, 5), (100, 109, 0))
    assert through.position(READER, ORDERS, 35) is None


def test_no_other_client_and_no_other_partition_is_meant():
    through = reading((10, 19, 5))
    assert through.position(Peer("reader", 2), ORDERS, 20) is None
    assert through.position(READER, ("orders", 1), 20) is None


def test_the_oldest_readers_are_forgotten():
    through = ReadThrough(2)
    for port in (1, 2, 1, 3):
        through.note(Peer("reader", port), ORDERS, 0, 9, 0)
    assert [through.position(Peer("reader", port), ORDERS, 10) for port in (1, 2, 3)] == [10, None, 10]
