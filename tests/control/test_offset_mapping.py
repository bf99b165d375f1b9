"""From MirrorMaker's offset syncs to maps: exact where they prove it, never ahead where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control.offset_mapping import LEAP, Logs, joined_with_own, mirror_map
from appliance.control.offset_syncs import OffsetSync, SyncHistory
from appliance.exchange.message import NOBODY
from appliance.policies.positions.offset_map import UNKNOWN, OffsetMap, Segment
from appliance.policies.positions.read_through import ReadThrough
from tests.control.world import MemoryCluster


def pairs(*syncs: tuple[int, int]) -> list[OffsetSync]:
    return [OffsetSync(*each) for each in syncs]


@pytest.mark.parametrize(
    ("syncs", "logs", "segments"),
    [
        # One difference from beginning to end, and on.
        ([(300, 0), (1009, 709)], (0, 1010, 0, 710), [(0, 300, 0)]),
        ([(0, 0), (9, 9)], (0, 10, 0, 10), [(0, 0, 0)]),
        # A gap on the source, right before a record with a sync of its own.
        ([(0, 0), (49, 49), (60, 50), (99, 89)], (0, 100, 0, 90), [(0, 0, 0), (50, 60, 0)]),
        # Gaps somewhere between two syncs: taken to be at their beginning.
        ([(0, 0), (120, 100)], (0, 121, 0, 101), [(0, 0, 0), (1, 21, 20), (100, 120, 0)]),
        # More on the target than on the source: nothing can be said.
        ([(0, 0), (90, 150)], (0, 91, 0, 151), [(0, 0, 0), (1, 1, UNKNOWN), (150, 90, 0)]),
        # Behind the last sync: a marker at the source's end, which is not mirrored.
        ([(0, 0), (8, 8)], (0, 10, 0, 9), [(0, 0, 0), (9, 10, 0)]),
        # Nothing known before the first sync.
        ([(30, 20)], (0, 31, 5, 21), [(5, 15, UNKNOWN), (20, 30, 0)]),
        # The mirror's log has been shortened: what was before is out of range.
        ([(300, 0), (1009, 709)], (0, 1010, 100, 710), [(100, 400, 0)]),
        # No sync yet, and records on both sides.
        ([], (0, 10, 0, 7), [(0, 3, UNKNOWN), (7, 10, 0)]),
        # No sync, and nothing to have one for.
        ([], (7, 7, 0, 0), [(0, 7, 0)]),
        ([], (0, 5, 0, 0), [(0, 5, 0)]),
        # Syncs of an earlier life of the topic.
        ([(0, 0), (500, 500), (3, 1)], (0, 10, 0, 8), [(0, 2, UNKNOWN), (1, 3, 0)]),
        # The source cannot be asked: what follows the last sync follows it, and new records come far behind.
        ([(300, 0), (900, 600)], (None, None, 0, 710), [(0, 300, 0), (710, 1010 + LEAP, 0)]),
        ([], (None, None, 0, 4), [(0, LEAP, UNKNOWN), (4, 4 + LEAP, 0)]),
    ],
)
def test_mirror_map(
    syncs: list[tuple[int, int]],
    logs: tuple[int | None, int | None, int, int],
    segments: list[tuple[int, int, int]],
):
    made = mirror_map(pairs(*syncs), Logs(*logs))
    assert [tuple(each) for each in made.segments] == segments


def test_a_cluster_that_has_served_keeps_what_it_wrote_itself():
    own = OffsetMap((Segment(0, 300), Segment(710, 1010)), settled=2710)
    mirrored = mirror_map(pairs((3010, 2710), (3019, 2719)), Logs(0, 3020, 0, 2720), settled=own.settled)
    assert mirrored.segments == (Segment(2710, 3010),)
    assert joined_with_own(own, mirrored) == OffsetMap((Segment(0, 300),), settled=2710)
    assert joined_with_own(None, mirrored) == mirrored


def test_syncs_from_before_a_cluster_served_tell_nothing_of_what_came_since():
    before = pairs((700, 1010), (749, 1059))  # the target has written markers since, the source has not
    assert mirror_map(before, Logs(0, 790, 0, 1105), settled=1105).segments == (Segment(1105, 790),)
    unknown = (Segment(1105, 788, UNKNOWN), Segment(1107, 790))
    assert mirror_map(before, Logs(0, 790, 0, 1107), settled=1105).segments == unknown


def test_nor_do_they_where_the_target_has_come_to_have_more():
    """MirrorMaker wrote no sync for the first records of its second life: the difference is that of the next one, so
    that the batch that reaches to it can be shown."""
    its = pairs((205, 189), (912, 932), (922, 941))
    made = mirror_map(its, Logs(None, None, 0, 1254), settled=759)
    assert made.segments[:2] == (Segment(759, 739, UNKNOWN), Segment(932, 912))
    made.with_border_moved(759, 932)


@dataclass
class Mirror:
    """What MirrorMaker does to one partition (MirrorSourceTask, PartitionState): copies records, and writes a sync for
    the first one of a life, for one behind a gap, and when the last is `lag` behind. Of those that it is to write, some
    never get written: newer ones take their place while too many are under way."""

    lag: int
    target_end: int
    syncs: list[OffsetSync] = field(default_factory=list)
    truth: dict[int, int] = field(default_factory=dict)
    copies: dict[int, list[int]] = field(default_factory=dict)
    _before: int = -1
    _last_sync: int = -1

    def begin_anew(self) -> None:
        self._last_sync = -1

    def copy(self, offset: int, *, lost: bool) -> None:
        behind = self.target_end - (self._last_sync + 1) >= self.lag
        if self._last_sync < 0 or offset - self._before != 1 or behind:
            self._last_sync = self.target_end
            if not lost:
                self.syncs.append(OffsetSync(offset, self.target_end))
        self._before = offset
        self.truth[offset] = self.target_end
        self.copies.setdefault(offset, []).append(self.target_end)
        self.target_end += 1


@given(
    steps=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4), st.booleans()), min_size=1, max_size=12),
    lag=st.integers(0, 20),
    start=st.integers(0, 400),
    marker=st.booleans(),
)
def test_whatever_gaps_there_are_and_syncs_get_lost_no_position_leads_behind_its_record(
    steps: list[tuple[int, int, bool]], lag: int, start: int, marker: bool
):
    """Steps: so many records, a gap behind them, and whether the sync that the gap causes is lost."""
    mirror, offset, lost = Mirror(lag, 0), start, False
    history = SyncHistory("standby")
    for records, gap, loses in steps:
        for _ in range(records):
            mirror.copy(offset, lost=lost)
            lost = False
            offset += 1
        offset += gap
        lost = loses
    source_end = offset + marker
    for sync in mirror.syncs:
        history.add(("t", 0), sync)
    its = mirror_map(history.syncs["t", 0], Logs(start, source_end, 0, mirror.target_end))
    for visible, cluster in mirror.truth.items():
        found = its.to_cluster(visible)
        assert found.doubt != UNKNOWN
        assert cluster - found.doubt <= found.offset <= cluster
    shown = [its.to_visible(each) for each in range(mirror.target_end)]
    assert shown == sorted(set(shown))
    assert its.to_visible(mirror.target_end) == source_end
    assert its.to_cluster(source_end).offset == mirror.target_end


@dataclass
class Reader:
    """A consumer that begins at an offset of the source, as libraries are made: what is shown below its position is
    left out, and it goes on behind the batch, some (`steadfast`) never further back than they are."""

    its: OffsetMap
    position: int
    steadfast: bool
    read: set[int] = field(default_factory=set)
    _through: ReadThrough = field(default_factory=ReadThrough)

    def fetch(self, batches: Sequence[range]) -> bool:
        """Read one batch of the target's records; return whether there was one."""
        found = self.its.to_cluster(self.position)
        cluster = found.offset
        if found.doubt == UNKNOWN:
            through = self._through.position(NOBODY, ("t", 0), self.position)
            assert through is not None, f"{self.position} was never shown"
            cluster = through
        batch = next((each for each in batches if cluster in each), None)
        if batch is None:
            return False
        self.its = self.its.with_border_moved(batch[0], batch[-1])
        difference = self.its.difference_at(batch[-1])
        self._through.note(NOBODY, ("t", 0), batch[0], batch[-1], difference)
        self.read |= {each for each in batch if each + difference >= self.position}
        behind = batch[-1] + 1 + difference
        self.position = max(self.position, behind) if self.steadfast else behind
        return True


@given(
    lives=st.lists(st.tuples(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 40)), min_size=1),
    late=st.lists(st.integers(0, 8), min_size=1),
    lag=st.integers(0, 20),
    steadfast=st.booleans(),
    data=st.data(),
)
def test_whoever_reads_through_what_a_mirror_copied_twice_skips_nothing(
    lives: list[tuple[list[int], int]], late: list[int], lag: int, steadfast: bool, data: st.DataObject
):
    """Lives: the sizes of the batches, and how many records are copied again in the next one. Late: which record of a
    life's first batch has the first sync that was written."""
    mirror, offset = Mirror(lag, 0), 0
    batches: list[range] = []
    for (sizes, again), first_sync in zip(lives, cycle(late)):
        for number, size in enumerate(sizes):
            begun = mirror.target_end
            for at in range(size):
                written = min(first_sync, size - 1) if number == 0 else -1
                if at == written:
                    mirror.begin_anew()
                mirror.copy(offset, lost=at < written)
                offset += 1
            batches.append(range(begun, mirror.target_end))
        source_end = offset
        offset = max(0, offset - again)
    records = {cluster: each for each, copies in mirror.copies.items() for cluster in copies}
    history = SyncHistory("standby")
    for sync in mirror.syncs:
        history.add(("t", 0), sync)
    its = mirror_map(history.syncs["t", 0], Logs(0, source_end, 0, mirror.target_end))
    known = [each for each in range(source_end) if its.to_cluster(each).doubt != UNKNOWN]
    begun = data.draw(st.sampled_from(known or [source_end]))
    reader = Reader(its, begun, steadfast)
    for _ in range(3 * len(batches)):
        if not reader.fetch(batches):
            break
    else:
        pytest.fail("the reader does not come to the end")
    assert {records[each] for each in reader.read} >= set(range(begun, source_end))


def test_of_a_run_of_syncs_with_one_difference_the_ends_are_kept():
    history = SyncHistory("standby")
    for sync in pairs((300, 0), (301, 1), (302, 2), (350, 50), (360, 55), (361, 56), (362, 57)):
        history.add(("t", 0), sync)
    assert history.syncs["t", 0] == pairs((300, 0), (350, 50), (360, 55), (362, 57))


def test_a_target_made_anew_makes_what_was_known_of_the_old_one_void():
    history = SyncHistory("standby")
    for sync in pairs((0, 0), (100, 90), (101, 91), (102, 0), (103, 1)):
        history.add(("t", 0), sync)
    assert history.syncs["t", 0] == pairs((102, 0), (103, 1))
    history.add(("t", 0), None)
    assert ("t", 0) not in history.syncs


async def test_the_history_reads_on_where_it_stopped():
    source = MemoryCluster("primary", {("t", 0): (0, 10)})
    history = SyncHistory("standby")
    await history.read_on(source)
    assert history.syncs == {}
    source.add_sync("standby", "t", 0, 3, 0)
    await history.read_on(source)
    source.add_sync("standby", "t", 0, 9, 6)
    await history.read_on(source)
    await history.read_on(source)
    assert history.syncs == {("t", 0): pairs((3, 0), (9, 6))}


def test_a_position_between_two_syncs_is_told_where_nothing_was_left_out_between_them():
    history = SyncHistory("standby")
    for sync in (OffsetSync(10, 3), OffsetSync(20, 13), OffsetSync(30, 21), OffsetSync(40, 31)):
        history.add(("orders", 0), sync)
    told = {offset: history.translated(("orders", 0), offset) for offset in (9, 10, 15, 20, 25, 30, 35, 40, 45)}
    assert told == {9: None, 10: 3, 15: 8, 20: 13, 25: None, 30: 21, 35: 26, 40: 31, 45: 36}
    assert history.translated(("payments", 0), 10) is None
