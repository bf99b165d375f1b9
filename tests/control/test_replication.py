"""The arithmetic of replication lag, and the reading of MirrorMaker's offset syncs."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.control.offset_syncs import OffsetSync, read_sync
from appliance.control.replication import (
    AHEAD,
    NO_SYNC,
    BytePreservingGauge,
    Ends,
    Lag,
    MirrorMakerGauge,
    Span,
    in_words,
    lag_by_end,
    lag_by_sync,
    lagging,
    replicated,
)
from appliance.policies.positions.way_back import LogEnds, TopicEnds, WayBack
from tests.control.world import MemoryCluster, sync_record


@pytest.mark.parametrize(
    ("span", "target_end", "sync", "lag"),
    [
        ((0, 10, 10), 10, OffsetSync(0, 0), (0, "")),
        ((0, 10, 10), 7, OffsetSync(0, 0), (3, "")),
        ((100, 150, 150), 44, OffsetSync(120, 14), (0, "")),  # the target began later: offsets differ by 106
        ((100, 150, 150), 43, OffsetSync(120, 14), (1, "")),
        ((100, 150, 160), 54, OffsetSync(120, 14), (0, "")),  # the source went on, and the target has that too
        ((100, 150, 150), 60, OffsetSync(120, 14), (29, AHEAD)),  # someone else writes to the target
        ((100, 150, 150), 60, OffsetSync(149, 43), (0, "")),  # but the very last record is known to be there
        ((0, 10, 10), 5, OffsetSync(10, 5), (0, "")),
        ((7, 7, 7), 0, None, (0, "")),  # empty: nothing to replicate
        ((7, 7, 7), 0, OffsetSync(3, 0), (0, "")),
        ((2, 10, 10), 8, None, (8, NO_SYNC)),  # as many records on both sides, but nothing says that they are the same
        ((0, 10, 10), 10, OffsetSync(11, 5), (10, NO_SYNC)),  # the topic was made anew on the source
        ((0, 10, 10), 10, OffsetSync(5, 11), (10, NO_SYNC)),  # or on the target
    ],
)
def test_lag_by_sync(span: tuple[int, int, int], target_end: int, sync: OffsetSync | None, lag: tuple[int, str]):
    assert lag_by_sync(Span(*span), target_end, sync) == lag


@pytest.mark.parametrize(
    ("span", "sync", "lag"),
    [
        ((0, 10, 10), None, (0, "")),  # nothing since the switch
        ((0, 9, 12), None, (0, "")),
        ((0, 11, 11), None, (11, NO_SYNC)),  # a record since, and the mirror has said nothing
        ((0, 14, 14), OffsetSync(10, 110), (0, "")),  # a mirror that says something is believed
        ((0, 14, 14), OffsetSync(10, 112), (2, "")),
    ],
)
def test_what_stood_there_at_the_switch_is_on_both_sides(
    span: tuple[int, int, int], sync: OffsetSync | None, lag: tuple[int, str]
):
    assert lag_by_sync(Span(*span), 114, sync, LogEnds(source=10, target=110)) == lag


def test_lag_by_end():
    assert (lag_by_end(10, 7), lag_by_end(10, 10), lag_by_end(10, 12)) == (3, 0, 0)


def test_a_sync_is_read_as_mirrormaker_writes_it():
    # As read from the topic of a MirrorMaker 2 of Apache Kafka 4.3.1: neither key nor value has a version.
    key = b"\x00\x06orders" + b"\x00\x00\x00\x03"
    value = (1000).to_bytes(8, "big") + (7).to_bytes(8, "big")
    assert read_sync(key, value) == (("orders", 3), OffsetSync(1000, 7))
    assert sync_record("orders", 3, 1000, 7) == (key, value)
    assert read_sync(key, None) == (("orders", 3), None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b""),
        (b"", b""),
        (b"\x00\x06ord\x00\x00\x00\x03", bytes(16)),
        (b"\x00\x01o\x00\x00\x00\x03", b"short"),
        (b"\x00\x01o\x00\x00\x00\x03", bytes(18)),
    ],
)
def test_what_is_not_a_sync_is_passed_over(key: bytes | None, value: bytes):
    assert read_sync(key, value) is None


def test_only_data_of_users_is_measured():
    names = [
        "orders", "audit-internal", "mm2ish", "__consumer_offsets", "mm2-offset-syncs.standby.internal",
        "primary.checkpoints.internal", "heartbeats", "primary.heartbeats", "mm2-offsets.primary.internal",
    ]  # fmt: skip
    assert list(replicated(dict.fromkeys(names, (0,)))) == ["orders", "audit-internal", "mm2ish"]


async def test_mirrormaker_gauge_reads_on_where_it_stopped():
    source, target = MemoryCluster("primary"), MemoryCluster("standby")
    source.logs |= {("a", 0): (0, 10), ("a", 1): (0, 5), ("b", 0): (3, 3)}
    target.logs |= {("a", 0): (0, 4), ("a", 1): (0, 0), ("b", 0): (0, 0)}
    topics = {"a": (0, 1), "b": (0,)}
    gauge = MirrorMakerGauge("standby")
    ends = await Ends.of(source, topics)
    assert lagging(await gauge.measure(ends, source, target, topics)) == [
        Lag("a", 0, 10, unknown=NO_SYNC),
        Lag("a", 1, 5, unknown=NO_SYNC),
    ]
    source.add_sync("standby", "a", 0, 0, 0)
    source.add_sync("standby", "a", 0, 8, 2)
    source.add_sync("standby", "a", 1, 0, 0)
    assert lagging(await gauge.measure(ends, source, target, topics)) == [Lag("a", 1, 5)]
    target.logs["a", 1] = (0, 5)
    source.logs["a", 0] = (0, 99)  # beyond what stood there when the fence came down
    assert lagging(await gauge.measure(ends, source, target, topics)) == []


async def test_where_users_records_end_is_forgotten_when_the_log_grows():
    """A group that has not read to the end would be put there, and skip what it has not read."""
    source, target = MemoryCluster("primary", {("a", 0): (0, 10)}), MemoryCluster("standby", {("a", 0): (0, 5)})
    source.add_sync("standby", "a", 0, 2, 0)
    gauge = MirrorMakerGauge("standby")
    before = await Ends.of(source, {"a": (0,)})
    assert lagging(await gauge.measure(before, source, target, {"a": (0,)})) == [Lag("a", 0, 3)]
    source.logs["a", 0], target.logs["a", 0] = (0, 30), (0, 28)
    behind_the_fence = await Ends.of(source, {"a": (0,)})
    assert lagging(await gauge.measure(behind_the_fence, source, target, {"a": (0,)})) == []
    assert [gauge.translated(("a", 0), offset, 28) for offset in (10, 20, 30)] == [8, 18, 28]


async def test_behind_the_last_record_of_a_user_a_group_is_at_the_end():
    source, target = MemoryCluster("primary", {("a", 0): (0, 30)}), MemoryCluster("standby", {("a", 0): (0, 18)})
    source.add_sync("standby", "a", 0, 2, 0)
    source.markers["a", 0] = 10
    gauge = MirrorMakerGauge("standby")
    assert lagging(await gauge.measure(await Ends.of(source, {"a": (0,)}), source, target, {"a": (0,)})) == []
    assert [gauge.translated(("a", 0), offset, 18) for offset in (19, 20, 30)] == [17, 18, 18]


def way_back(**changes: Any) -> WayBack:
    """From standby to primary; topic a has ended at 10 and 110."""
    its = TopicEnds(b"a on standby....", b"a on primary....", {0: LogEnds(10, 110)})
    return WayBack("standby", "primary", {"a": its._replace(**changes)})


def standby_and_primary() -> tuple[MemoryCluster, MemoryCluster]:
    return (
        MemoryCluster("standby", {("a", 0): (0, 10)}, ids={"a": b"a on standby...."}),
        MemoryCluster("primary", {("a", 0): (30, 110)}, ids={"a": b"a on primary...."}),
    )


async def lag_of(source: MemoryCluster, target: MemoryCluster, way: WayBack | None) -> list[Lag]:
    ends = await Ends.of(source, {"a": (0,)})
    return lagging(await MirrorMakerGauge("primary", way).measure(ends, source, target, {"a": (0,)}))


UNKNOWN = [Lag("a", 0, 10, unknown=NO_SYNC)]


async def test_on_the_way_back_a_partition_without_a_record_since_lags_nowhere():
    standby, primary = standby_and_primary()
    assert await lag_of(standby, primary, None) == UNKNOWN
    assert await lag_of(standby, primary, way_back()) == []


async def test_markers_since_the_switch_are_no_records():
    standby, primary = standby_and_primary()
    standby.logs["a", 0], standby.markers["a", 0] = (0, 13), 3
    assert await lag_of(standby, primary, way_back()) == []
    standby.markers["a", 0] = 2
    assert await lag_of(standby, primary, way_back()) == [Lag("a", 0, 11, unknown=NO_SYNC)]


@pytest.mark.parametrize(
    "way",
    [
        way_back(source_id=b"another........."),
        way_back(target_id=b"another........."),
        way_back(partitions={1: LogEnds(10, 110)}),
        way_back(partitions={0: LogEnds(11, 110)}),  # the source has less than it had
        way_back(partitions={0: LogEnds(10, 111)}),  # the target has
        WayBack("standby", "primary", {}),
    ],
)
async def test_what_does_not_stand_as_it_stood_at_the_switch_is_not_known(way: WayBack):
    assert await lag_of(*standby_and_primary(), way) == UNKNOWN


async def test_syncs_of_a_mirror_from_before_the_switch_tell_nothing():
    standby, primary = standby_and_primary()
    standby.add_sync("primary", "a", 0, 2, 104)  # it served before; the primary has written five markers since
    assert await lag_of(standby, primary, way_back()) == []
    standby.logs["a", 0] = (0, 12)
    assert await lag_of(standby, primary, way_back()) == [Lag("a", 0, 12, unknown=NO_SYNC)]
    standby.add_sync("primary", "a", 0, 10, 110)
    assert await lag_of(standby, primary, way_back()) == [Lag("a", 0, 2)]
    primary.logs["a", 0] = (30, 112)
    assert await lag_of(standby, primary, way_back()) == []


async def test_byte_preserving_gauge_compares_ends():
    source, target = MemoryCluster("primary"), MemoryCluster("standby")
    source.logs["a", 0] = (0, 10)
    target.logs["a", 0] = (2, 9)
    ends = await Ends.of(source, {"a": (0,)})
    assert await BytePreservingGauge().measure(ends, source, target, {"a": (0,)}) == [Lag("a", 0, 1)]


def test_lag_in_words_shows_the_worst():
    lags = lagging(
        [Lag("a", 0, 1), Lag("b", 2, 7, unknown=NO_SYNC), Lag("c", 0, 0), *(Lag("z", n, 1) for n in range(5))]
    )
    assert in_words(lags, most=2) == "b/2: no offset sync yet (up to 7 to replicate), a/0: 1 records and 5 more"
