"""The maps that a switch takes along, and the way back, there again, and home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.control.datapath import Partition
from appliance.control.offset_mapping import LEAP
from appliance.control.offset_syncs import SyncHistory
from appliance.control.positions import FOLLOW_EVERY, Follower, Pair, Sides, capture, remarks
from appliance.control.statedir import Kept
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.positions.offset_map import OffsetMap, Segment
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.resources.virtual_cluster import VirtualClusterSpec
from tests.control.world import ORDERS, MemoryCluster, World, running_plane, state_in, until

T = ("orders", 0)


def spec(**values: Any) -> VirtualClusterSpec:
    its = {"cluster": "primary", "standbys": ["standby"], "replication": "mirrormaker", "offsets": "continuous"}
    return VirtualClusterSpec.model_validate({**its, **values})


@dataclass
class Twins:
    """Two clusters, a mirror between them, and the records that are in them: each is the offset at which it was shown
    to clients when it was written."""

    logs: dict[str, list[int]] = field(default_factory=lambda: {"primary": [], "standby": []})
    clusters: dict[str, MemoryCluster] = field(
        default_factory=lambda: {
            name: MemoryCluster(name, ids={"orders": name.encode().rjust(16)}) for name in ("primary", "standby")
        }
    )
    maps: PositionMaps = NO_MAPS
    serving: str = "primary"
    mirrored_to: dict[str, int] = field(default_factory=lambda: {"primary": 0, "standby": 0})

    def write(self, count: int) -> None:
        """Let clients write through the gateway."""
        log = self.logs[self.serving]
        for _ in range(count):
            log.append(self.maps.map_of(self.serving, *T).to_visible(len(log)))

    def mirror(self, *, start: int | None = None) -> None:
        """Copy from the serving cluster what the other lacks; a new life of the mirror begins at `start`."""
        source, target = self.serving, self._other
        begin = self.mirrored_to[target] if start is None else start
        for offset in range(begin, len(self.logs[source])):
            if offset in {begin, len(self.logs[source]) - 1}:
                self.clusters[source].add_sync(target, *T, offset, len(self.logs[target]))
            self.logs[target].append(self.logs[source][offset])
        self.mirrored_to[target] = len(self.logs[source])

    async def switch(self, *, lost: bool = False) -> None:
        for name, cluster in self.clusters.items():
            cluster.logs[T] = (0, len(self.logs[name]))
        source, target = self.clusters[self.serving], self.clusters[self._other]
        history = SyncHistory(self._other)
        if lost:
            await history.read_on(source)
        sides = Sides(source.name, target.name, None if lost else source, target)
        self.maps = await capture(spec(), self.maps, sides, history, source.ids)
        self.serving = self._other

    @property
    def _other(self) -> str:
        return "standby" if self.serving == "primary" else "primary"

    def check(self) -> None:
        """Fail unless every record that clients may stand before is found where it is."""
        its, log = self.maps.map_of(self.serving, *T), self.logs[self.serving]
        last_place = {shown: place for place, shown in enumerate(log)}
        for shown, place in last_place.items():
            assert its.to_cluster(shown).offset == place, (shown, its)
            assert its.to_visible(place) == shown
        end = max(log) + 1
        assert its.to_cluster(end).offset == len(log)
        assert its.to_visible(len(log)) == end


async def test_offsets_go_on_through_any_number_of_switches():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    await twins.switch()
    twins.check()
    assert twins.maps.map_of("standby", *T).segments == (Segment(0, 300),)
    for number in (50, 7, 20, 1):
        twins.write(number)
        twins.mirror(start=len(twins.logs[twins.serving]) - number)
        await twins.switch()
        twins.check()
    assert twins.logs["standby"][-1] == 1077


async def test_a_way_back_whose_mirror_copies_everything_anew_finds_the_second_copy():
    twins = Twins()
    twins.write(100)
    twins.mirror(start=30)
    await twins.switch()
    twins.write(10)
    twins.mirror(start=0)
    await twins.switch()
    twins.check()


async def test_the_same_offsets_on_both_sides_need_no_translation():
    twins = Twins()
    twins.write(100)
    twins.mirror()
    await twins.switch()
    twins.check()
    assert twins.maps.is_identity("standby")
    assert twins.maps.is_identity("primary")


async def test_where_nothing_was_written_since_the_own_offsets_hold_on_the_way_back():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    await twins.switch()
    await twins.switch()
    twins.check()
    assert twins.maps.is_identity("primary")
    twins.write(10)
    twins.mirror(start=1000)
    await twins.switch()
    twins.check()


async def test_they_hold_for_a_cluster_that_was_lost_too_with_what_had_not_been_copied():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    twins.write(4)
    await twins.switch(lost=True)
    end = twins.maps.map_of("standby", *T).to_visible(700)
    await twins.switch()
    its = twins.maps.map_of("primary", *T)
    assert [its.to_cluster(each).offset for each in (0, 999, 1000, 1003)] == [0, 999, 1000, 1003]
    assert [its.to_visible(each) for each in (0, 1003, 1004)] == [0, 1003, end]
    assert not its.doubts


async def test_the_own_offsets_hold_though_the_other_side_ends_in_markers():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    await twins.switch(lost=True)
    twins.write(3)
    twins.clusters["standby"].markers[T] = 3
    await twins.switch()
    assert not twins.maps.map_of("primary", *T).doubts
    assert twins.maps.map_of("primary", *T).to_cluster(999).offset == 999


async def test_of_a_cluster_that_was_lost_and_made_anew_the_own_offsets_do_not_hold():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    await twins.switch(lost=True)
    twins.clusters["primary"].ids["orders"] = b"made anew......."
    await twins.switch()
    assert twins.maps.map_of("primary", *T).doubts


async def test_a_lost_cluster_to_which_everything_was_copied_anew_shows_the_second_copy():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    await twins.switch(lost=True)
    twins.mirror(start=0)
    await twins.switch()
    assert twins.maps.map_of("primary", *T).to_cluster(300).offset == 1000


async def test_idle_partitions_go_there_and_back_any_number_of_times():
    twins = Twins()
    twins.write(1000)
    twins.mirror(start=300)
    for number in (0, 5, 0, 0, 3, 0, 0, 0):
        await twins.switch()
        twins.check()
        twins.write(number)
        if number:
            twins.mirror(start=len(twins.logs[twins.serving]) - number)


def cluster(name: str, start: int, end: int) -> MemoryCluster:
    return MemoryCluster(name, {T: (start, end)}, since={1769860800000: 4})


async def test_a_lost_source_is_not_asked_and_new_records_come_far_behind_all_it_may_have_given():
    target = cluster("standby", 0, 710)
    history = SyncHistory("standby")
    source = cluster("primary", 300, 1010)
    source.add_sync("standby", *T, 300, 0)
    await history.read_on(source)
    maps = await capture(spec(), NO_MAPS, Sides("primary", "standby", None, target), history)
    assert maps.map_of("standby", *T).segments == (Segment(0, 300), Segment(710, 1010 + LEAP))


async def test_offsets_as_they_are_need_no_maps():
    sides = Sides("primary", "standby", cluster("primary", 0, 9), cluster("standby", 0, 9))
    for replication in ("mirrormaker", "byte-preserving", "none"):
        its = spec(offsets="as-is", replication=replication)
        maps = await capture(its, NO_MAPS, sides, SyncHistory("standby"))
        assert (maps.clusters, maps.beginnings) == ({}, {})


@pytest.mark.parametrize(
    ("positions", "offset"),
    [("earliest", 2), ("latest", 9), ("timestamp:2026-01-31T12:00:00Z", 4), ("timestamp:2027-01-31T12:00:00Z", 9)],
)
async def test_where_groups_without_offsets_begin_is_taken_at_the_switch(positions: str, offset: int):
    sides = Sides("primary", "standby", None, cluster("standby", 2, 9))
    maps = await capture(spec(positions=positions, offsets="as-is"), NO_MAPS, sides, SyncHistory("standby"))
    assert maps.beginnings == {T: offset}


async def test_the_plan_says_what_is_not_exact():
    maps = PositionMaps().with_cluster(
        "standby",
        {
            ("orders", 0): OffsetMap((Segment(0, 0), Segment(1, 21, 20), Segment(100, 120))),
            ("orders", 1): OffsetMap((Segment(0, 5, -1), Segment(10, 40))),
        },
    )
    unknown, doubtful = remarks(maps, "standby")
    assert "orders/1 5 to 14" in unknown
    assert "orders/0 21 to 119 (up to 20)" in doubtful
    assert remarks(maps, "primary") == []


# -- as part of the plane

CONTINUOUS = ORDERS.replace("replication: mirrormaker", "replication: mirrormaker, offsets: continuous")


async def switched(plane: Any, to: str, mode: str) -> Any:
    record = plane.start_switchover(
        "orders", to, mode=mode, hold=5.0, dry_run=False, leave_records_behind=False
    )  # fmt: skip
    await until(lambda: record.over)
    assert record.state == "done", record.history
    return record


async def test_maps_and_the_number_of_switches_survive_a_restart(tmp_path: Path):
    world = World()
    world.in_step()
    state = state_in(tmp_path)
    async with running_plane(world, CONTINUOUS, state=state) as plane:
        await switched(plane, "standby", "planned")
        kept = state.load()
        assert kept.switches == {"orders": 1}
        assert kept.positions["orders"].map_of("standby", "payments", 0).to_visible(4) == 10
    world = World(clusters=world.clusters)
    async with running_plane(world, CONTINUOUS, state=state) as plane:
        world.cluster("standby").add_sync("primary", "payments", 0, 3, 9)
        await switched(plane, "primary", "planned")
        assert state.load().switches == {"orders": 2}
    state.close()


async def test_what_is_not_exact_stands_in_the_plan_of_a_dry_run():
    world = World()
    world.in_step()
    async with running_plane(world, CONTINUOUS) as plane:
        record = plane.start_switchover(
            "orders", "standby", mode="planned", hold=5.0, dry_run=True, leave_records_behind=False
        )
        await until(lambda: record.over)
        assert record.plan is not None
        assert any("payments/0" in note for note in record.plan.notes)


async def test_the_syncs_are_known_before_the_source_is_lost(autojump_clock: trio.abc.Clock):  # noqa: ARG001
    world = World()
    world.in_step()
    primary = world.cluster("primary")
    follower = Follower(world, lambda: {Pair(Target("primary", (("10.0.0.1", 9092),)), "standby")})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follower.run)
        await trio.sleep(1)
        assert len(follower.history("primary", "standby").syncs["payments", 0]) == 1
        primary.add_sync("standby", "payments", 0, 9, 3)
        await trio.sleep(FOLLOW_EVERY)
        assert len(follower.history("primary", "standby").syncs["payments", 0]) == 2
        primary.reachable = False
        await trio.sleep(3 * FOLLOW_EVERY)
        primary.reachable = True
        primary.add_sync("standby", "payments", 0, 20, 10)
        await trio.sleep(FOLLOW_EVERY)
        assert len(follower.history("primary", "standby").syncs["payments", 0]) == 3
        nursery.cancel_scope.cancel()


class Endless(MemoryCluster):
    """A cluster that never says where its logs end."""

    async def end_offsets(self, topics: Mapping[str, Iterable[int]]) -> Mapping[Partition, int]:  # noqa: ARG002
        raise ClusterUnreachable("cluster standby cannot be reached")


async def test_a_switch_of_which_the_positions_cannot_be_taken_does_not_take_place():
    world = World(clusters={"standby": Endless("standby")})
    world.in_step()
    async with running_plane(world, CONTINUOUS) as plane:
        record = plane.start_switchover(
            "orders", "standby", mode="unplanned", hold=5.0, dry_run=False, leave_records_behind=False
        )
        await until(lambda: record.over)
        assert record.state == "rolled-back"
        assert plane.serving("orders") == "primary"


def test_damaged_maps_in_the_state_file_are_refused():
    with pytest.raises(ValueError, match="expected offset maps"):
        Kept.model_validate({"positions": {"orders": {"clusters": 7}}})


def test_a_file_of_before_has_no_maps():
    assert Kept.model_validate_json('{"format": 1, "serving": {"orders": "standby"}, "changes": []}').positions == {}
