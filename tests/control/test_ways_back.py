"""What a switch writes down for the switch back, and the switch back that lives on it."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from appliance.control.offset_syncs import OffsetSync, SyncHistory
from appliance.control.plane import ControlPlane
from appliance.control.replication import NO_SYNC
from appliance.control.switchover import Switchover
from appliance.control.ways_back import common, taken
from appliance.policies.positions.way_back import LogEnds, TopicEnds, WayBack
from tests.control.world import ORDERS, MemoryCluster, World, running_plane, state_in, until


def topic_id(name: str) -> bytes:
    """Return an id that can be told from others."""
    return name.encode().rjust(16, b"\0")


A, B, C = (topic_id(each) for each in ("a", "b", "c"))
NAMES = ("primary", "standby")


def way(source: str = "standby", target: str = "primary", **topics: TopicEnds) -> WayBack:
    return WayBack(source, target, topics)


def ends(*partitions: tuple[int, int], source_id: bytes = B, target_id: bytes = A) -> TopicEnds:
    return TopicEnds(source_id, target_id, {each: LogEnds(*its) for each, its in enumerate(partitions)})


# -- what is written down


def clusters() -> tuple[MemoryCluster, MemoryCluster]:
    left = MemoryCluster("primary", {("a", 0): (0, 110), ("a", 1): (0, 7)}, ids={"a": A})
    entered = MemoryCluster("standby", {("a", 0): (0, 10), ("a", 1): (0, 0)}, ids={"a": B})
    return left, entered


async def test_both_ends_are_written_down():
    left, entered = clusters()
    found = await taken(NAMES, left, entered, {"a": (0, 1)}, SyncHistory("standby"), {})
    assert found == way(a=ends((10, 110), (0, 7)))


async def test_what_one_side_lacks_or_has_no_id_for_is_not():
    left, entered = clusters()
    left.logs[("b", 0)] = entered.logs[("b", 0)] = entered.logs[("c", 0)] = entered.logs[("a", 2)] = (0, 5)
    left.ids["b"] = entered.ids["c"] = C
    found = await taken(NAMES, left, entered, {"a": (0, 1, 2), "b": (0,), "c": (0,)}, SyncHistory("standby"), {})
    assert found == way(a=ends((10, 110), (0, 7)))


async def test_of_a_cluster_that_is_lost_the_syncs_tell_the_least_that_it_had():
    left, entered = clusters()
    history = SyncHistory("standby")
    history.add(("a", 0), OffsetSync(101, 3))
    history.add(("a", 1), OffsetSync(6, 0))  # of an earlier life of the topic: nothing is there by now
    left.reachable = False
    found = await taken(NAMES, None, entered, {"a": (0, 1)}, history, {"a": A})
    assert found == way(a=ends((10, 108)))
    assert await taken(NAMES, None, entered, {"a": (0, 1)}, history, {}) == way()


async def test_a_cluster_that_does_not_answer_leaves_nothing_known():
    left, entered = clusters()
    left.mute = {"topic_ids"}
    assert await taken(NAMES, left, entered, {"a": (0, 1)}, SyncHistory("standby"), {}) is None


# -- what several know


def test_of_what_several_know_the_lowest_end_counts():
    one, other = way(a=ends((10, 110), (7, 8)), b=ends((1, 1))), way(a=ends((12, 109)), c=ends((1, 1)))
    assert common("standby", "primary", [one, other]) == way(a=ends((10, 110)))
    assert common("standby", "primary", [one]) == one


def test_topics_that_are_not_the_same_are_not_known():
    other = way(a=ends((10, 110), source_id=C))
    assert common("standby", "primary", [way(a=ends((10, 110))), other]) == way()


@pytest.mark.parametrize(
    "ways",
    [
        [],
        [None],
        [way(), None],
        [way(), way(source="third")],
        [way(target="third")],
        [way(source="primary", target="standby")],
    ],
)
def test_where_one_does_not_know_nothing_is_known(ways: list[WayBack | None]):
    assert common("standby", "primary", ways) is None


# -- the switch back

THIRD = """
---
{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["10.0.0.4:9092"]}}
"""
ANOTHER = """
---
kind: VirtualCluster
metadata: {name: another}
spec: {cluster: primary, standbys: [standby], replication: mirrormaker}
---
kind: Listener
metadata: {name: another}
spec: {bind: "127.0.0.1:29092", virtual_cluster: another, broker_ports: {first: 29093, count: 10}}
"""
P, IDLE = ("payments", 0), ("payments", 1)


@pytest.fixture
def world() -> World:
    """Two partitions on two clusters; the mirror has carried everything over."""
    made = World()
    made.in_step()
    primary, standby = made.cluster("primary"), made.cluster("standby")
    primary.logs[IDLE], standby.logs[IDLE] = (300, 340), (0, 40)
    primary.add_sync("standby", *IDLE, 300, 0)
    primary.ids, standby.ids = {"payments": A}, {"payments": B}
    return made


def write_and_mirror(world: World, count: int = 5) -> None:
    """Let clients write to payments/0 of the standby, and a mirror that was turned round copy it."""
    primary, standby = world.cluster("primary"), world.cluster("standby")
    standby.add_sync("primary", *P, standby.logs[P][1], primary.logs[P][1])
    for each in (primary, standby):
        each.logs[P] = (each.logs[P][0], each.logs[P][1] + count)


async def switched(plane: ControlPlane, to: str, *names: str, dry_run: bool = False) -> Switchover:
    record = plane.start_switchover_of(list(names or ["orders"]), to, hold=5.0, refuse=0.0, dry_run=dry_run)
    await until(lambda: record.over)
    return record


async def back(plane: ControlPlane, *names: str) -> str:
    """Return what becomes of a planned switch back: `done`, or why not."""
    record = await switched(plane, "primary", *names)
    return "done" if record.state == "done" else record.detail.partition(";")[0]


async def test_a_planned_way_back_does_not_wait_for_partitions_in_which_nothing_was_written(
    world: World, autojump_clock: MockClock
):
    async with running_plane(world) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
        plan = (await switched(plane, "primary", dry_run=True)).plan
        assert plan is not None
        assert plan.lag == 0
        assert await back(plane) == "done"


async def test_there_and_back_any_number_of_times(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        for _ in range(3):
            assert (await switched(plane, "standby")).state == "done"
            write_and_mirror(world)
            assert await back(plane) == "done"


async def test_what_is_known_survives_a_restart(world: World, tmp_path: Path, autojump_clock: MockClock):
    state = state_in(tmp_path)
    async with running_plane(world, state=state) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
    async with running_plane(World(world.clusters), state=state) as plane:
        assert await back(plane) == "done"
    state.close()


async def test_a_file_of_before_there_was_any_is_loaded_and_nothing_is_known(
    world: World, tmp_path: Path, autojump_clock: MockClock
):
    state = state_in(tmp_path)
    async with running_plane(world, state=state) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
    file = state.path / "state.json"
    file.write_text(file.read_text().replace('"way_back"', '"forgotten"'))
    async with running_plane(World(world.clusters), state=state) as plane:
        assert NO_SYNC in await back(plane)
    state.close()


async def test_a_record_since_the_switch_is_waited_for(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
        world.cluster("standby").logs[IDLE] = (0, 41)
        assert await back(plane) == "not drained within 5s: payments/1: no offset sync yet (up to 41 to replicate)"
        world.cluster("standby").markers[IDLE] = 1  # it was a transaction marker
        assert await back(plane) == "done"


async def test_a_topic_that_was_made_after_the_switch_is_not_known(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
        for name, its in world.clusters.items():
            its.logs["new", 0] = (0, 1)
            its.ids["new"] = topic_id(f"new on {name}")
        assert await back(plane) == "not drained within 5s: new/0: no offset sync yet (up to 1 to replicate)"


@pytest.mark.parametrize("name", ["primary", "standby"])
async def test_a_topic_that_was_made_anew_after_the_switch_is_not_known(
    world: World, name: str, autojump_clock: MockClock
):
    async with running_plane(world) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
        world.cluster(name).ids["payments"] = C
        assert NO_SYNC in await back(plane)


async def test_a_third_cluster_is_not_known_to_have_anything(world: World, autojump_clock: MockClock):
    files = ORDERS.replace("[standby]", "[standby, third]") + THIRD
    third = world.cluster("third")
    third.logs |= {P: (0, 4), IDLE: (0, 40)}
    third.ids = {"payments": C}
    async with running_plane(world, files) as plane:
        await switched(plane, "standby")
        world.cluster("standby").add_sync("third", *P, 3, 3)
        record = await switched(plane, "third")
        assert "payments/1: no offset sync yet" in record.detail


async def test_virtual_clusters_that_were_switched_together_go_back_together(world: World, autojump_clock: MockClock):
    async with running_plane(world, ORDERS + ANOTHER) as plane:
        await switched(plane, "standby", "orders", "another")
        write_and_mirror(world)
        assert await back(plane, "orders", "another") == "done"


async def test_what_another_virtual_cluster_wrote_before_this_one_came_is_not_taken_for_copied(
    world: World, autojump_clock: MockClock
):
    async with running_plane(world, ORDERS + ANOTHER) as plane:
        await switched(plane, "standby", "another")
        world.cluster("standby").logs[IDLE] = (0, 41)  # written by another, and on no other cluster
        unmeasured = plane.start_switchover("orders", "standby", hold=5.0, leave_records_behind=True)
        await until(lambda: unmeasured.over)
        assert unmeasured.state == "done"
        write_and_mirror(world)
        assert NO_SYNC in await back(plane, "orders", "another")
        assert NO_SYNC in await back(plane, "orders")
        gone = plane.start_switchover("another", "primary", mode="unplanned")
        await until(lambda: gone.over)
        assert NO_SYNC in await back(plane, "orders"), "what it left behind is there still"


async def test_beside_a_virtual_cluster_that_is_at_home_there_nothing_is_known(world: World, autojump_clock: MockClock):
    at_home = ANOTHER.replace("cluster: primary, standbys: [standby]", "cluster: standby, standbys: [primary]")
    async with running_plane(world, ORDERS + at_home) as plane:
        await switched(plane, "standby")
        write_and_mirror(world)
        assert NO_SYNC in await back(plane)
        assert NO_SYNC in await back(plane, "orders", "another")


async def test_after_the_loss_of_a_cluster_the_syncs_that_were_read_tell_what_it_must_still_have(
    world: World, autojump_clock: MockClock
):
    continuous = ORDERS.replace("replication: mirrormaker", "replication: mirrormaker, offsets: continuous")
    async with running_plane(world, continuous) as plane:
        plane.start_switchover("orders", "standby", dry_run=True)  # reads the syncs
        await until(lambda: plane.switchovers.all()[-1].over)
        world.cluster("primary").reachable = False
        lost = plane.start_switchover("orders", "standby", mode="unplanned")
        await until(lambda: lost.over)
        assert lost.state == "done"
        write_and_mirror(world)
        world.cluster("primary").reachable = True
        world.cluster("primary").logs[IDLE] = (300, 339)  # a record was lost with it
        assert NO_SYNC in await back(plane)
        world.cluster("primary").logs[IDLE] = (300, 343)  # three had not been copied
        assert await back(plane) == "done"
