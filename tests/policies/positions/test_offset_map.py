"""One partition's map: never ahead of the record that a position stood for, and as exact as its segments are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policies.positions.offset_map import (
    IDENTITY,
    OUT_OF_RANGE,
    UNKNOWN,
    OffsetMap,
    Position,
    Segment,
    shifted,
)
from appliance.policies.positions.offset_maps import PositionMaps

HOLE = OffsetMap((Segment(0, 0), Segment(50, 60)))
"""Ten offsets of the source, 50 to 59, have no record."""
AGAIN = OffsetMap((Segment(0, 0), Segment(150, 90)))
"""A mirror copied 90 to 149 and, begun anew, once more."""


def test_the_identity_changes_nothing():
    assert IDENTITY.is_identity
    assert IDENTITY.to_cluster(7) == Position(7)
    assert IDENTITY.to_visible(7) == 7


def test_one_difference_is_added_and_taken_away():
    mirror = shifted(300)
    assert mirror.to_visible(710) == 1010
    assert mirror.to_cluster(1010) == Position(710)
    assert not mirror.is_identity


def test_what_lies_below_the_log_is_out_of_range_as_it_is_to_a_broker():
    assert shifted(300).to_cluster(299) == Position(OUT_OF_RANGE)
    assert shifted(300).to_cluster(300) == Position(0)


def test_what_lies_beyond_all_numbers_is_out_of_range():
    assert shifted(-(1 << 40)).to_cluster((1 << 63) - 1) == Position(OUT_OF_RANGE)


def test_a_position_in_a_hole_goes_on_behind_it():
    assert [HOLE.to_cluster(each).offset for each in (49, 50, 55, 59, 60, 61)] == [49, 50, 50, 50, 50, 51]
    assert [HOLE.to_visible(each) for each in (49, 50, 51)] == [49, 60, 61]


def test_the_end_of_a_log_is_right_behind_its_last_record_whatever_offset_the_next_one_gets():
    assert [HOLE.end_to_visible(each) for each in (49, 50, 51)] == [49, 50, 61]
    assert [AGAIN.end_to_visible(each) for each in (149, 150, 151)] == [149, 150, 91]
    assert shifted(300).end_to_visible(0) == 300, "of a log without a record"
    unknown = OffsetMap((Segment(0, 0, UNKNOWN), Segment(20, 30)))
    assert [unknown.end_to_visible(each) for each in (19, 20, 21)] == [30, 30, 31]


def test_of_a_record_that_was_copied_twice_the_second_copy_is_taken():
    assert AGAIN.to_cluster(89) == Position(89)
    assert AGAIN.to_cluster(120) == Position(180)
    assert AGAIN.to_visible(120) == AGAIN.to_visible(180) == 120


def test_positions_in_a_stretch_of_which_nothing_is_known_are_marked_and_lead_to_its_beginning():
    its = OffsetMap((Segment(0, 0), Segment(11, 11, UNKNOWN), Segment(40, 30)))
    assert its.to_cluster(10) == Position(10)
    assert its.to_cluster(11) == Position(11)
    assert its.to_cluster(12) == its.to_cluster(20) == Position(11, UNKNOWN)
    assert its.to_cluster(30) == Position(40)
    assert its.doubts == ((11, 40, UNKNOWN),)


def test_who_has_read_up_to_the_unknown_stands_at_its_beginning_for_sure():
    its = OffsetMap((Segment(0, 0), Segment(20, 25, UNKNOWN), Segment(40, 45)))
    assert [its.to_cluster(each) for each in (19, 20, 21, 25)] == [
        Position(19),
        Position(20),
        Position(20, UNKNOWN),
        Position(20, UNKNOWN),
    ]


def test_a_log_that_begins_with_the_unknown_begins_behind_it_for_clients():
    its = OffsetMap((Segment(5, 5, UNKNOWN), Segment(20, 30)))
    assert its.to_visible(5) == its.to_visible(19) == 30
    assert its.to_visible(20) == 30


def test_an_unknown_stretch_is_no_identity_even_without_a_difference():
    assert not OffsetMap((Segment(0, 0), Segment(10, 10, UNKNOWN))).is_identity
    assert OffsetMap((Segment(0, 0), Segment(10, 10, 3))).is_identity


def test_segments_out_of_order_are_refused():
    with pytest.raises(ValueError, match="rising order"):
        OffsetMap((Segment(5, 5), Segment(5, 9)))


# -- batches that reach over a border


def test_a_batch_over_a_border_gets_the_difference_of_its_last_record_and_the_map_follows():
    moved = HOLE.with_border_moved(40, 55)
    assert moved.segments == (Segment(0, 0), Segment(40, 50, 10), Segment(50, 60))
    # The records of the batch are shown at 50 to 65; each of these leads back to it, and so does a commit from within.
    assert [moved.to_cluster(visible).offset for visible in range(50, 66)] == list(range(40, 56))
    # Whoever stood before one of its records at its true place begins with the batch.
    assert [moved.to_cluster(visible).offset for visible in range(40, 50)] == [40] * 10


def test_a_batch_within_a_segment_moves_nothing():
    assert HOLE.with_border_moved(10, 49) is HOLE
    assert HOLE.with_border_moved(50, 90) is HOLE


def test_a_batch_of_which_nothing_was_known_up_to_a_sync_is_of_that_syncs_life_as_a_whole():
    its = OffsetMap((Segment(0, 0), Segment(90, 90, UNKNOWN), Segment(150, 90), Segment(155, 96)))
    assert its.with_border_moved(140, 152) is its
    assert its.difference_at(152) == -60
    moved = its.with_border_moved(140, 160)
    assert moved.segments == (Segment(0, 0), Segment(90, 90, UNKNOWN), Segment(150, 91, 1), Segment(155, 96))


def test_a_batch_in_which_the_difference_falls_from_what_is_known_is_refused():
    with pytest.raises(ValueError, match="falls between the offsets 140 and 160"):
        AGAIN.with_border_moved(140, 160)


# -- composing


def test_a_mirror_of_a_mirror_is_seen_through_both():
    assert shifted(300).beyond(shifted(25)) == shifted(325)
    assert HOLE.beyond(shifted(20)).segments == (Segment(0, 20), Segment(30, 60))


def test_what_was_settled_and_doubted_stays_so_through_two_maps():
    doubtful = OffsetMap((Segment(0, 0), Segment(10, 15, 5), Segment(100, 105)))
    mirror = OffsetMap((Segment(0, 0), Segment(50, 50, UNKNOWN), Segment(60, 60)), settled=7)
    its = doubtful.beyond(mirror)
    assert its.settled == 7
    assert [each.doubt for each in its.segments] == [0, 5, UNKNOWN, 5, 0]


def test_too_many_segments_are_thrown_together_at_the_old_end():
    many = OffsetMap(tuple(Segment(10 * number, 11 * number) for number in range(100)))
    few = many.coarsened(10)
    assert len(few.segments) == 10
    assert few.segments[1:] == many.segments[-9:]
    assert few.segments[0] == Segment(0, 90, 90)
    assert many.coarsened(100) is many


# -- properties


@st.composite
def mirrors(draw: st.DrawFn) -> tuple[OffsetMap, dict[int, int]]:
    """Return a map and the truth that it was made of: source offset -> target offset, with gaps on the source."""
    gaps = draw(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), max_size=6))
    start, difference = draw(st.integers(0, 50)), draw(st.integers(0, 500))
    segments: list[Segment] = []
    truth: dict[int, int] = {}
    target = start
    for length, gap in [*gaps, (20, 0)]:
        segments.append(Segment(target, target + difference))
        truth |= {each + difference: each for each in range(target, target + length)}
        target += length
        difference += gap
    return OffsetMap(tuple(segments)), truth


@given(mirrors())
def test_every_record_is_found_and_shown_where_it_was(made: tuple[OffsetMap, dict[int, int]]):
    its, truth = made
    for visible, cluster in truth.items():
        assert its.to_cluster(visible) == Position(cluster)
        assert its.to_visible(cluster) == visible


@given(mirrors(), st.integers(1, 40))
def test_a_position_never_leads_behind_its_record_however_batches_lie(
    made: tuple[OffsetMap, dict[int, int]], size: int
):
    its, truth = made
    first = its.segments[0].cluster
    last = max(truth.values())
    for base in range(first, last - size, size):
        its = its.with_border_moved(base, base + size - 1)
    for visible, cluster in truth.items():
        assert its.to_cluster(visible).offset <= cluster
    shown = [its.to_visible(each) for each in range(first, last + 1)]
    assert shown == sorted(set(shown)), "clients see each record at an offset of its own, in order"
    assert [its.to_cluster(each).offset for each in shown] == list(range(first, last + 1))


@given(mirrors(), mirrors())
def test_json_gives_the_same_maps_back(one: tuple[OffsetMap, dict[int, int]], other: tuple[OffsetMap, dict[int, int]]):
    maps = PositionMaps().with_cluster("standby", {("orders", 0): one[0], ("a.b", 11): other[0]})
    maps = maps.with_cluster("primary", {("orders", 0): IDENTITY}).with_beginnings({("orders", 0): 17})
    assert PositionMaps.of_json(maps.as_json()) == maps


@pytest.mark.parametrize(
    "broken", [{}, {"clusters": [], "beginnings": {}}, {"clusters": {"a": {"t": {"0": [[1, 2]]}}}}]
)
def test_broken_json_is_a_value_error(broken: object):
    with pytest.raises(ValueError, match="expected"):
        PositionMaps.of_json(broken)


def test_maps_say_for_which_clusters_nothing_needs_to_be_done():
    maps = PositionMaps().with_cluster("standby", {("orders", 0): shifted(300)}).with_cluster("primary", {})
    assert not maps.is_identity("standby")
    assert maps.is_identity("primary")
    assert maps.is_identity("unheard-of")
    assert maps.map_of("standby", "orders", 0) == shifted(300)
    assert maps.map_of("standby", "orders", 1) is IDENTITY
