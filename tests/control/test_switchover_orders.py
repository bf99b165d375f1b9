"""One order is one switchover; it can be paused, cancelled, and move several virtual clusters or none."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

import pytest
from trio.testing import MockClock

from appliance.control.errors import ConflictError, UnfitError, UnknownError
from tests.control.world import ORDERS, World, running_plane, until

TWO = (
    ORDERS
    + """
---
kind: VirtualCluster
metadata: {name: billing}
spec: {cluster: primary, standbys: [standby], replication: mirrormaker}
---
kind: VirtualCluster
metadata: {name: elsewhere}
spec: {cluster: standby, standbys: [primary], replication: mirrormaker}
"""
)


@pytest.fixture
def world() -> World:
    made = World()
    made.in_step()
    return made


async def test_the_same_order_twice_is_one_switchover(world: World, autojump_clock: MockClock):
    world.writes = 1
    async with running_plane(world) as plane:
        first = plane.start_switchover("orders", "standby")
        await until(lambda: first.state == "drain")
        assert plane.start_switchover("orders", "standby", hold=3.0) is first
        with pytest.raises(ConflictError, match="under way"):
            plane.start_switchover("orders", "standby", mode="unplanned")
        world.writes = 0
        await until(lambda: first.over)
    assert (world.moved, len(plane.switchovers.all())) == ([("orders", "standby")], 1)


async def test_a_key_is_one_switchover_for_ever(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        first = plane.start_switchover("orders", "standby", key="incident-7")
        await until(lambda: first.over)
        again = plane.start_switchover("orders", "standby", key="incident-7")
        assert again is first
        with pytest.raises(ConflictError, match="belongs to switchover sw-1 of orders from primary to standby"):
            plane.start_switchover("orders", "primary", key="incident-7")


async def test_cancelled_before_the_point_of_no_return(world: World, autojump_clock: MockClock):
    world.writes = 1
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.state == "drain")
        plane.switchovers.cancel(switchover, "by the API")
        await until(lambda: switchover.over)
        assert switchover.detail == "cancelled (by the API); primary serves as before"
        with pytest.raises(ConflictError, match="there is nothing to cancel"):
            plane.switchovers.cancel(switchover, "by the API")
    assert not world.snapshot.routes["orders"].fenced
    assert world.moved == []


async def test_not_cancelled_behind_it(world: World, autojump_clock: MockClock):
    world.cluster("standby").headless = [("payments", 0)]
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.state == "verify")
        with pytest.raises(ConflictError, match="cannot be cancelled any more"):
            plane.switchovers.cancel(switchover, "by the API")


@pytest.mark.parametrize(
    "step", ["transactions", "fence", "drain", "groups", "positions", "switch", "move", "unfence", "verify"]
)
async def test_a_pause_in_front_of_any_step(world: World, autojump_clock: MockClock, step: str):
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=(step,))
        await until(lambda: switchover.paused_before is not None)
        assert switchover.paused_before == step
        assert step not in [each.state for each in switchover.history]
        plane.switchovers.go_on(switchover)
        await until(lambda: switchover.over)
        with pytest.raises(ConflictError, match="does not pause"):
            plane.switchovers.go_on(switchover)
    assert switchover.state == "done"


async def test_a_pause_keeps_writes_out_no_longer_than_was_allowed(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=("switch",), hold=5.0, refuse=5.0)
        await until(lambda: switchover.over)
    assert switchover.detail == ("not drained within 10s: nobody let it go on before switch; primary serves as before")
    assert 10 <= switchover.history[-1].seconds < 11


async def test_all_virtual_clusters_of_a_cluster_move_at_once(world: World, autojump_clock: MockClock):
    async with running_plane(world, TWO) as plane:
        switchover = plane.start_switchover_of_all("primary", "standby")
        await until(lambda: switchover.over)
        assert switchover.virtual_clusters == ("billing", "orders")
        assert switchover.detail == "standby serves billing, orders"
        assert {plane.serving(name) for name in ("billing", "orders", "elsewhere")} == {"standby"}
        assert plane.switchover("billing") is plane.switchover("orders")
        assert switchover.plan is not None
        assert [each.virtual_cluster for each in switchover.plan.parts] == ["billing", "orders"]
        targets = [{name: each.routes[name].target.name for name in ("billing", "orders")} for each in world.published]
        assert all(len(set(each.values())) == 1 for each in targets), "one snapshot switches both"
        again = plane.start_switchover_of_all("primary", "standby")
        assert again.state == "done"


async def test_all_or_nothing(world: World, autojump_clock: MockClock):
    world.writes = 1  # of orders; billing has none
    async with running_plane(world, TWO) as plane:
        switchover = plane.start_switchover_of_all("primary", "standby", hold=2.0, refuse=0.0)
        await until(lambda: world.snapshot.routes["billing"].fenced)
        assert world.snapshot.routes["orders"].fenced
        with pytest.raises(ConflictError, match="a switchover of billing to standby is under way"):
            plane.start_switchover("billing", "standby")
        await until(lambda: switchover.over)
        assert {plane.serving("billing"), plane.serving("orders")} == {"primary"}
        assert not any(world.snapshot.routes[name].fenced for name in ("billing", "orders"))


async def test_what_cannot_move_at_once_is_refused(world: World, autojump_clock: MockClock):
    third = TWO + '\n---\n{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["10.0.0.9:9092"]}}'
    async with running_plane(world, third) as plane:
        with pytest.raises(UnfitError) as caught:
            plane.start_switchover_of_all("primary", "third")
        assert len(caught.value.problems) == 2
        with pytest.raises(UnfitError, match="third serves no virtual cluster"):
            plane.start_switchover_of_all("third", "primary")
        with pytest.raises(UnknownError, match="there is no Cluster fourth"):
            plane.start_switchover_of_all("fourth", "primary")
    different = TWO.replace("replication: mirrormaker}", "replication: byte-preserving}", 1)
    async with running_plane(World(world.clusters), different) as plane:
        with pytest.raises(UnfitError, match="say different things of how primary is replicated to standby"):
            plane.start_switchover_of_all("primary", "standby")


async def test_a_failback_needs_replication_the_other_way(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        there = plane.start_switchover("orders", "standby")
        await until(lambda: there.over)
        refused = plane.start_switchover("orders", "primary")
        await until(lambda: refused.over)
        assert "expected MirrorMaker's offset syncs in mm2-offset-syncs.primary.internal on standby" in refused.detail
        assert "or say --leave-records-behind" in refused.detail
        back = plane.start_switchover("orders", "primary", leave_records_behind=True)
        await until(lambda: back.over)
        assert (back.state, plane.serving("orders")) == ("done", "primary")


async def test_writes_that_nobody_answered_are_told_as_indeterminate(world: World, autojump_clock: MockClock):
    world.writes = 5
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", mode="unplanned")
        await until(lambda: switchover.over)
    assert switchover.indeterminate == 5
    assert "5 writes had no answer from primary: they are indeterminate" in switchover.history[2].detail


@pytest.mark.parametrize("state", ["transactions", "drain", "groups"])
async def test_a_target_that_dies_is_not_switched_to(world: World, autojump_clock: MockClock, state: str):
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=(state,))
        await until(lambda: switchover.paused_before is not None)
        world.cluster("standby").reachable = False
        plane.switchovers.go_on(switchover)
        await until(lambda: switchover.over)
    assert switchover.detail == "cluster standby cannot be reached; primary serves as before"
    assert not world.snapshot.routes["orders"].fenced
