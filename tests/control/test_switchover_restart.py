"""A gateway that was killed in the middle of a switchover: the next one says what it found and what became of it."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from appliance.control.statedir import Kept, StateDir
from appliance.control.switchover import AT_RESTART, FINAL, State
from appliance.resources.virtual_cluster import VirtualCluster
from tests.control.world import ORDERS, World, declared, make_plane, running_plane, until

BEFORE = [state for state, what in AT_RESTART.items() if what == "roll back"]
AFTER = [state for state, what in AT_RESTART.items() if what == "carry on"]


@pytest.fixture
def world() -> World:
    made = World()
    made.in_step()
    return made


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    opened = StateDir(tmp_path / "state")
    yield opened
    opened.close()


async def killed_in(world: World, state: StateDir, at: State) -> None:
    """Leave on the disk what a gateway leaves that is killed in this state of a planned switchover."""
    files: list[Kept] = []
    save = state.save

    def saving(kept: Kept) -> None:
        save(kept)
        files.append(kept)

    state.save = saving  # type: ignore[method-assign]
    async with running_plane(world, state=state) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    state.save = save  # type: ignore[method-assign]
    (left,) = [each for each in files if each.switchovers[-1].history[-1].state == at]
    save(left)


@pytest.mark.parametrize("at", BEFORE)
async def test_before_the_point_of_no_return_it_is_rolled_back(
    world: World, state: StateDir, autojump_clock: MockClock, at: State
):
    await killed_in(world, state, at)
    again = World(world.clusters)
    async with running_plane(again, state=state) as plane:
        switchover = plane.switchover("orders")
        assert switchover is not None
        assert (switchover.state, plane.serving("orders")) == ("rolled-back", "primary")
        assert switchover.resumed_at == at
        assert switchover.detail == (
            f"the gateway ended at step {at}, before the point of no return: primary serves, writes flow"
        )
        assert not again.snapshot.routes["orders"].fenced
        await plane.resume_switchovers()
        assert state.load().switchovers[-1].history[-1].state == "rolled-back"
        assert again.moved == []
        assert plane.start_switchover("orders", "standby").id == "sw-2"


@pytest.mark.parametrize("at", AFTER)
async def test_behind_the_point_of_no_return_it_is_carried_on(
    world: World, state: StateDir, autojump_clock: MockClock, at: State
):
    await killed_in(world, state, at)
    again = World(world.clusters)
    async with running_plane(again, state=state) as plane:
        assert plane.serving("orders") == "standby"
        switchover = plane.switchover("orders")
        assert switchover is not None
        assert switchover.state not in FINAL
        await plane.resume_switchovers()
        await until(lambda: switchover.over)
        assert switchover.detail == f"standby serves orders; resumed after a restart at step {at}"
        redone = [each.state for each in switchover.history][-len(AFTER) :]
        assert redone[-1] == "done"
        assert ("move" in redone) == (at in {"switch", "move"}) or at in {"unfence", "verify"}
        assert again.moved == ([("orders", "standby")] if at in {"switch", "move"} else [])
        assert not again.snapshot.routes["orders"].fenced
        await until(lambda: state.load().switchovers[-1].over)


async def test_nothing_is_switched_that_is_not_on_the_disk(
    world: World, state: StateDir, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    async with running_plane(world, state=state) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=("switch",))
        await until(lambda: switchover.paused_before == "switch")
        (state.path / ".state.json.new").mkdir()  # the disk takes no more
        plane.switchovers.go_on(switchover)
        await until(lambda: switchover.over)
        assert (switchover.state, plane.serving("orders")) == ("rolled-back", "primary")
        assert "cannot be written" in switchover.detail
        assert {each.routes["orders"].target.name for each in world.published} == {"primary"}
        assert not world.snapshot.routes["orders"].fenced


async def test_what_is_not_declared_any_more_cannot_be_carried_on(
    world: World, state: StateDir, autojump_clock: MockClock
):
    await killed_in(world, state, "move")
    (without,) = [
        each.model_copy(update={"metadata": each.metadata.model_copy(update={"name": "payments"})})
        for each in declared()
        if isinstance(each, VirtualCluster)
    ]
    assert without.name == "payments"
    plane = make_plane(
        World(), ORDERS.replace("name: orders", "name: payments").replace(": orders", ": payments"), state=state
    )
    (switchover,) = plane.switchovers.all()
    assert switchover.state == "failed"
    assert "orders is not declared now" in switchover.detail


async def test_files_that_say_something_else_by_now_are_told(world: World, state: StateDir, autojump_clock: MockClock):
    await killed_in(world, state, "move")
    plane = make_plane(World(), ORDERS.replace("standbys: [standby], ", ""), state=state)
    (switchover,) = plane.switchovers.all()
    assert switchover.state == "failed"
    assert switchover.detail.endswith("the files say something else by now: primary serves orders")


async def test_the_last_switchovers_are_remembered(world: World, state: StateDir, autojump_clock: MockClock):
    async with running_plane(world, state=state) as plane:
        there = plane.start_switchover("orders", "standby")
        await until(lambda: there.over)
        world.cluster("standby").add_sync("primary", "payments", 0, 4, 10)
        back = plane.start_switchover("orders", "primary", key="back")
        await until(lambda: back.over)
        assert plane.start_switchover("orders", "standby", dry_run=True).id == "sw-3"
        await until(lambda: plane.switchovers.all()[-1].over)
    again = make_plane(World(), state=state)
    first, second = again.switchovers.all()  # a dry run leaves nothing behind
    assert (first.id, first.state, first.target) == ("sw-1", "done", "standby")
    assert (second.id, second.state, second.order.key) == ("sw-2", "done", "back")
    assert [each.state for each in second.history] == [each.state for each in back.history]
    assert second.plan == back.plan
