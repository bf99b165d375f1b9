"""A failover policy at work over clusters in memory, on a clock that jumps."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from appliance.control.errors import ConflictError, UnfitError
from appliance.control.failover_watch import Watch
from appliance.control.plane import ControlPlane
from appliance.control.switchover import Clocks
from tests.control.world import ORDERS, WALL, World, declared, fault, running_plane, until

POLICY = """
---
kind: FailoverPolicy
metadata: {name: region}
spec: {cluster: primary, to: [standby], canary: {topic: canary}, action: switch, hold_down: 2m, rpo: 10s}
"""
WATCHED = ORDERS + POLICY


@pytest.fixture
def world() -> World:
    made = World()
    made.in_step()
    for name in ("primary", "standby"):
        made.cluster(name).logs |= {("canary", 0): (0, 0), ("canary", 1): (0, 0)}
    return made


def moving_clocks() -> dict[str, Any]:
    """The wall clock goes on with trio's: hold-down is counted on it."""
    return {"clocks": Clocks(lambda: WALL + timedelta(seconds=trio.current_time()), trio.current_time)}


def watch_of(plane: ControlPlane) -> Watch:
    watch = plane.failover.watch("region")
    assert watch is not None
    return watch


async def test_a_cluster_that_dies_is_left(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        watch = watch_of(plane)
        await trio.sleep(10.5)
        assert {name: each.standing for name, each in watch.health.items()} == {
            "primary": "healthy", "standby": "healthy",
        }  # fmt: skip
        assert watch.decision.why == "primary is healthy"
        assert (watch.exposure("standby") or 99) < 10
        world.cluster("primary").reachable = False
        await until(lambda: plane.serving("orders") == "standby")
        switchover = plane.switchover("orders")
        assert switchover is not None
        assert (switchover.mode, switchover.asked_by) == ("unplanned", "FailoverPolicy region")
        await until(lambda: switchover.over)
        assert switchover.state == "done"
        await trio.sleep(300)
        assert len(plane.switchovers.all()) == 1, "it does not come back by itself"
        assert {each.text for each in list(watch.events)[:2]} == {"primary is healthy", "standby is healthy"}
        assert [each.text for each in list(watch.events)[2:] if "is under way" not in each.text] == [
            "primary is unhealthy: cluster primary cannot be reached",
            "switch: primary is unhealthy (cluster primary cannot be reached); standby takes its place",
            "switchover sw-1 of orders from primary to standby started",
            "none: primary is unhealthy, and serves no virtual cluster",
        ]


@pytest.mark.parametrize("broken", ["write", "reads_at", "coordinator"])
async def test_every_check_counts(world: World, autojump_clock: MockClock, broken: str):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(10)
        world.cluster("primary").broken = {broken}
        await until(lambda: plane.serving("orders") == "standby")


async def test_the_outage_fault_is_felt_by_the_canary(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(10)
        plane.put_fault(fault("dark", outage={"cluster": "primary", "mode": "refuse"}))
        await until(lambda: plane.serving("orders") == "standby")
        assert watch_of(plane).health["primary"].failure == "fault dark makes it unreachable"


async def test_a_short_disturbance_changes_nothing(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(10)
        for _ in range(20):
            world.cluster("primary").reachable = False
            await trio.sleep(1.9)
            world.cluster("primary").reachable = True
            await trio.sleep(8)
        assert plane.switchovers.all() == ()
        assert watch_of(plane).health["primary"].standing == "healthy"


async def test_a_standby_that_is_behind_is_not_gone_to(world: World, autojump_clock: MockClock):
    world.cluster("standby").logs["payments", 0] = (0, 3)
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        watch = watch_of(plane)
        await trio.sleep(20)
        assert (watch.exposure("standby"), watch.lacks("standby")) == (None, "payments/0: 1 records")
        world.cluster("primary").reachable = False
        await trio.sleep(60)
        assert plane.serving("orders") == "primary"
        assert watch.decision.action == "alert"
        assert watch.decision.why.endswith("nowhere to go: standby was never seen to have everything")


async def test_replication_that_stalls_counts_from_then_on(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(20)
        world.cluster("primary").logs["payments", 0] = (0, 50)
        await trio.sleep(60)
        world.cluster("primary").reachable = False
        await trio.sleep(60)
        assert plane.serving("orders") == "primary"
        assert "may lack what was written in" in watch_of(plane).decision.why


async def test_a_standby_that_is_down_too_is_not_gone_to(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(20)
        world.cluster("standby").reachable = False
        await trio.sleep(10)
        world.cluster("primary").reachable = False
        await trio.sleep(60)
        assert plane.serving("orders") == "primary"
        assert watch_of(plane).decision.why.endswith("nowhere to go: standby is unhealthy")


async def test_after_a_switchover_it_keeps_still_for_a_while(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(20)
        there = plane.start_switchover("orders", "standby")
        await until(lambda: there.over)
        back = plane.start_switchover("orders", "primary", leave_records_behind=True)
        await until(lambda: back.over)
        over = trio.current_time()
        await trio.sleep(10)
        world.cluster("primary").reachable = False
        await trio.sleep(30)
        assert "held down for" in watch_of(plane).decision.why
        await until(lambda: plane.serving("orders") == "standby")
        assert 119 <= trio.current_time() - over < 125


async def test_a_canary_without_its_topic_is_told(world: World, autojump_clock: MockClock):
    del world.cluster("primary").logs["canary", 0]
    del world.cluster("primary").logs["canary", 1]
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(60)
        assert plane.serving("orders") == "primary"
        why = watch_of(plane).decision.why
        assert "the canary's topic canary is not there: create it" in why
        assert "see that the canary of region is right" in why


async def test_a_canarys_topic_is_not_waited_for(world: World, autojump_clock: MockClock):
    async with running_plane(world, WATCHED, **moving_clocks()) as plane:
        await trio.sleep(20)
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
        assert switchover.state == "done"
        assert switchover.plan is not None
        assert switchover.plan.topics == 1


async def test_on_the_way_back_what_was_not_written_to_since_the_switch_is_not_missing(
    world: World, autojump_clock: MockClock
):
    for name, its in world.clusters.items():
        its.ids = {"payments": name.encode().rjust(16)}
    backwards = WATCHED.replace("{cluster: primary, to: [standby]", "{cluster: standby, to: [primary]")
    async with running_plane(world, backwards, **moving_clocks()) as plane:
        watch = watch_of(plane)
        await trio.sleep(10)
        assert watch.lacks("primary") == "payments/0: no offset sync yet (up to 4 to replicate)"
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
        await trio.sleep(10)
        assert watch.lacks("primary") == ""
        assert watch.exposure("primary") is not None


async def test_a_policy_follows_its_declaration(world: World, autojump_clock: MockClock):
    async with running_plane(world, ORDERS, **moving_clocks()) as plane:
        assert plane.failover.watch("region") is None
        (policy,) = declared(POLICY)
        assert await plane.put(policy) == "created"
        await trio.sleep(10)
        first = watch_of(plane)
        assert first.health["primary"].standing == "healthy"
        (changed,) = declared(POLICY.replace("switch", "alert"))
        assert await plane.put(changed) == "changed"
        assert watch_of(plane) is not first
        await trio.sleep(10)
        world.cluster("primary").reachable = False
        await trio.sleep(60)
        assert watch_of(plane).decision.action == "alert"
        assert watch_of(plane).decision.to == "standby"
        with pytest.raises(ConflictError, match="it is used by VirtualCluster orders, FailoverPolicy region"):
            await plane.delete("Cluster", "standby")
        await plane.delete("FailoverPolicy", "region")
        assert plane.failover.all() == []


async def test_a_policy_that_leads_nowhere_is_refused(world: World):
    async with running_plane(world, ORDERS) as plane:
        (policy,) = declared(POLICY.replace("[standby]", "[third, primary]"))
        with pytest.raises(UnfitError) as caught:
            await plane.put(policy)
    assert caught.value.problems == (
        "FailoverPolicy region: spec.to.0: there is no Cluster third",
        "FailoverPolicy region: spec.to.1: primary is said twice",
        "FailoverPolicy region: spec.to.0: no VirtualCluster has both primary and third among its clusters",
    )
