"""The ids of topics that a switch takes along: there and back, on to a third cluster, and from one that is lost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from appliance.control.offset_syncs import SyncHistory
from appliance.control.plane import ControlPlane
from appliance.control.positions import Sides, capture
from appliance.control.statedir import Kept
from appliance.control.switchover import Switchover
from appliance.control.topic_ids import LOOK_EVERY
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps, TopicId
from appliance.resources.virtual_cluster import VirtualClusterSpec
from tests.control.world import ORDERS, MemoryCluster, World, running_plane, state_in, until


def topic_id(name: str) -> bytes:
    """Return an id that can be told from others."""
    return name.encode().rjust(16, b"\0")


A, B, C, NEW = (topic_id(each) for each in ("a", "b", "c", "new"))


def spec(**values: object) -> VirtualClusterSpec:
    return VirtualClusterSpec.model_validate({"cluster": "primary", "standbys": ["standby", "third"], **values})


def cluster(name: str, **ids: bytes) -> MemoryCluster:
    return MemoryCluster(name, ids=ids)


async def switched(
    before: PositionMaps, source: MemoryCluster, target: MemoryCluster, its: VirtualClusterSpec | None = None
) -> PositionMaps:
    sides = Sides(source.name, target.name, source, target)
    return await capture(its or spec(), before, sides, SyncHistory(target.name))


def shown(maps: PositionMaps) -> Mapping[str, Mapping[bytes, bytes]]:
    """Return, per cluster, its ids and how clients know them."""
    return {cluster: dict(ids.values()) for cluster, ids in maps.topic_ids.items()}


async def test_the_other_side_shows_the_ids_that_clients_know():
    maps = await switched(NO_MAPS, cluster("primary", orders=A), cluster("standby", orders=B))
    assert shown(maps) == {"standby": {B: A}}


async def test_on_the_way_back_there_is_nothing_to_translate():
    primary, standby = cluster("primary", orders=A), cluster("standby", orders=B)
    there = await switched(NO_MAPS, primary, standby)
    back = await switched(there, standby, primary)
    assert shown(back)["primary"] == {A: A}
    assert shown(back)["standby"] == {B: A}, "connections to the other side live on for a moment"


async def test_a_third_cluster_shows_the_ids_of_the_first():
    there = await switched(NO_MAPS, cluster("primary", orders=A), cluster("standby", orders=B))
    on = await switched(there, cluster("standby", orders=B), cluster("third", orders=C))
    assert shown(on)["third"] == {C: A}


async def test_a_topic_that_is_made_anew_after_the_switch_is_a_new_one_and_stays_it():
    primary, standby = cluster("primary", orders=A), cluster("standby", orders=B)
    there = await switched(NO_MAPS, primary, standby)
    standby.ids["orders"] = NEW
    back = await switched(there, standby, primary)
    assert shown(back)["primary"] == {A: NEW}


async def test_a_topic_that_only_the_other_side_has_keeps_its_own_id():
    maps = await switched(NO_MAPS, cluster("primary"), cluster("standby", orders=B))
    assert shown(maps) == {"standby": {B: B}}


async def test_with_the_remedy_off_nothing_is_taken_along():
    off = spec(remedies={"topic_ids": "off"})
    maps = await switched(NO_MAPS, cluster("primary", orders=A), cluster("standby", orders=B), off)
    assert maps.topic_ids == {}


def test_ids_are_written_down_and_read_again():
    maps = NO_MAPS.with_topic_ids("standby", {"orders": TopicId(B, A), "payments": TopicId(C, C)})
    assert PositionMaps.of_json(maps.as_json()) == maps
    assert PositionMaps.of_json({"clusters": {}, "beginnings": {}}) == NO_MAPS, "written before there were any"
    kept = Kept().with_topic_ids({"primary": {"orders": A}})
    assert Kept.model_validate_json(kept.model_dump_json()) == kept


@pytest.mark.parametrize("damaged", [{"standby": {"b": "a"}}, {"standby": {"b": [A.hex()]}}, {"standby": 7}, 7])
def test_damaged_ids_in_the_state_file_are_refused(damaged: object):
    with pytest.raises(ValueError, match="expected"):
        Kept.model_validate({"positions": {"orders": {"clusters": {}, "beginnings": {}, "topic_ids": damaged}}})
    with pytest.raises(ValueError, match=r"expected|valid dictionary"):
        Kept.model_validate({"topic_ids": damaged})


# -- a cluster that is lost

LOST = ORDERS.replace("replication: mirrormaker", "replication: none")


def world_of_two() -> World:
    world = World()
    world.cluster("primary").ids = {"orders": A}
    world.cluster("standby").ids = {"orders": B}
    return world


async def unplanned(plane: ControlPlane, *, dry_run: bool = False) -> Switchover:
    record = plane.start_switchover(
        "orders", "standby", mode="unplanned", hold=5.0, dry_run=dry_run, leave_records_behind=False
    )
    await until(lambda: record.over)
    return record


def newest(world: World) -> PositionMaps:
    """Return the maps that were handed out last."""
    return world.editions[-1].virtual_clusters["orders"].maps


async def test_ids_of_a_cluster_that_is_lost_are_those_last_seen(autojump_clock: trio.abc.Clock):  # noqa: ARG001
    world = world_of_two()
    async with running_plane(world, LOST) as plane:
        await trio.sleep(1)
        world.cluster("primary").ids["orders"] = NEW
        await trio.sleep(LOOK_EVERY)
        world.cluster("primary").reachable = False
        await trio.sleep(2 * LOOK_EVERY)
        assert (await unplanned(plane)).state == "done"
        assert shown(newest(world)) == {"standby": {B: NEW}}


async def test_they_outlive_the_gateway(tmp_path: Path, autojump_clock: trio.abc.Clock):  # noqa: ARG001
    world = world_of_two()
    state = state_in(tmp_path)
    async with running_plane(world, LOST, state=state):
        await trio.sleep(1)
    world = World(clusters=world.clusters)
    world.cluster("primary").reachable = False
    async with running_plane(world, LOST, state=state) as plane:
        assert (await unplanned(plane)).state == "done"
        assert shown(newest(world)) == {"standby": {B: A}}
    state.close()


async def test_a_plan_says_where_they_were_never_seen():
    world = world_of_two()
    world.cluster("primary").reachable = False
    async with running_plane(world, LOST) as plane:
        record = await unplanned(plane, dry_run=True)
        assert record.plan is not None
        assert any("primary was never asked for its topic ids" in note for note in record.plan.notes)


async def test_a_cluster_that_cannot_be_asked_is_said_once(
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.abc.Clock,  # noqa: ARG001
):
    world = world_of_two()
    world.cluster("primary").reachable = False
    with caplog.at_level(logging.WARNING, "tidegate.control"):
        async with running_plane(world, LOST):
            await trio.sleep(5 * LOOK_EVERY)
    said = [each for each in caplog.messages if "topic ids" in each]
    assert said == ["the topic ids of primary cannot be read: cluster primary cannot be reached"]


async def test_a_full_disk_does_not_stop_the_looking(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.abc.Clock,  # noqa: ARG001
):
    world = world_of_two()
    state = state_in(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "write", full)
    async with running_plane(world, LOST, state=state):
        await trio.sleep(1)
        asked = world.cluster("primary").asked
        await trio.sleep(3 * LOOK_EVERY)
        assert world.cluster("primary").asked > asked
    state.close()
    assert any("remembered until the gateway ends" in each for each in caplog.messages)
