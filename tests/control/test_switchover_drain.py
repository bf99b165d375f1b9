"""What a planned switchover waits for behind the fence, and what it does when that does not come."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from appliance.control.switchover import GroupPosition
from appliance.gateway.client import Group
from appliance.policies.connect.refused_writes import RefusedWrites
from tests.control.world import ORDERS, World, running_plane, until

WITHOUT_GROUP_OFFSETS = ORDERS.replace("mirrormaker}", "mirrormaker, remedies: {group_offsets: off}}")


@pytest.fixture
def world() -> World:
    made = World()
    made.in_step()
    return made


def fences(world: World) -> list[str]:
    """What each snapshot did to writes."""
    found = []
    for snapshot in world.published:
        route = snapshot.routes["orders"]
        refusing = [each for each in route.interceptors if isinstance(each, RefusedWrites)]
        state = "held" if route.fenced else "open"
        if refusing:
            state = "refused" if refusing[0]._open is None else f"ending {sorted(refusing[0]._open)}"
        found.append(state)
    return found


async def test_writes_are_held_then_refused_then_it_is_rolled_back(world: World, autojump_clock: MockClock):
    world.writes = 1
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", hold=3.0, refuse=4.0)
        await until(lambda: switchover.over)
    assert fences(world) == ["open", "held", "refused", "open"]
    assert switchover.detail.startswith("not drained within 7s: 1 writes without an answer")
    assert 7 <= switchover.history[-1].seconds < 7.5


async def test_what_drains_while_writes_are_refused_is_switched(world: World, autojump_clock: MockClock):
    standby = world.cluster("standby")
    standby.logs["payments", 0] = (0, 3)
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", hold=3.0, refuse=10.0)
        await trio.sleep(5)
        assert plane.fence_of("orders").state == "refused"
        standby.logs["payments", 0] = (0, 4)
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert fences(world) == ["open", "held", "refused", "refused", "open"]


async def test_from_the_switch_to_the_end_of_the_fence_nobody_new_is_served(world: World, autojump_clock: MockClock):
    """What is held must not be held on two connections of one client: either may be let go first."""
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    routes = [snapshot.routes["orders"] for snapshot in world.published]
    assert [(route.target.name, route.newcomers_wait) for route in routes] == [
        ("primary", False),
        ("primary", False),
        ("standby", True),
        ("standby", False),
    ]


async def test_a_log_that_ends_in_transaction_markers_is_drained(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.logs["payments", 0] = (0, 12)  # the standby has the ten records, and never gets the two markers
    primary.markers["payments", 0] = 2
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", hold=2.0, refuse=0.0)
        await until(lambda: switchover.over)
        assert switchover.state == "done"


async def test_open_transactions_end_before_writes_are_held(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.transactions = {"shop-1": "Ongoing", "shop-2": "PrepareCommit"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", finish_transactions=5.0)
        await trio.sleep(1)
        assert (switchover.state, switchover.detail) == ("transactions", "2 open")
        del primary.transactions["shop-2"]
        await trio.sleep(1)
        assert switchover.detail == "1 open"
        primary.transactions.clear()
        await until(lambda: switchover.over)
    assert world.cluster("standby").sought == [("transaction", "shop-1")], "so that it has coordinators by then"
    assert fences(world) == ["open", "ending ['shop-1', 'shop-2']", "held", "held", "open"]
    assert switchover.history[1].detail == "2 were open: all have ended"
    assert switchover.aborted == []
    assert switchover.plan is not None
    assert [each.transactional_id for each in switchover.plan.transactions] == ["shop-1", "shop-2"]
    assert "those that do not end within 5s are aborted" in switchover.plan.notes[0]


async def test_who_has_ended_is_not_shut_out_when_another_is_found_under_way(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.transactions = {"busy": "Ongoing", "slow": "Ongoing"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", finish_transactions=5.0)
        for under_way in ({"slow": "Ongoing"}, {"busy": "Ongoing", "late": "Ongoing"}, {}):
            await trio.sleep(1)
            primary.transactions = under_way
        await until(lambda: switchover.over)
    first, then, after = (snapshot.routes["orders"].interceptors for snapshot in world.published[1:4])
    assert first[0] is then[0], "the same one, which remembers who has ended"
    assert fences(world)[2:4] == ["ending ['busy', 'late', 'slow']", "held"]
    assert first[0] not in after
    assert (switchover.state, switchover.aborted) == ("done", [])


async def test_transactions_that_take_too_long_are_aborted(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.transactions = {"shop-1": "Ongoing"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", finish_transactions=5.0)
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert (primary.fenced_ids, switchover.aborted) == (["shop-1"], ["shop-1"])
    assert switchover.history[1].detail == "1 were open: all have ended, 1 aborted"
    assert fences(world)[1:3] == ["ending ['shop-1']", "ending []"]


async def test_a_target_that_tells_no_coordinator_is_switched_to_all_the_same(
    world: World, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
):
    world.cluster("primary").transactions = {"shop-1": "Ongoing"}
    world.cluster("standby").mute.add("coordinator")
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", finish_transactions=1.0)
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert "producers will have to wait: cluster standby: coordinator was answered with" in caplog.text


async def test_transactions_of_others_can_be_left_alone(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.transactions = {"others": "Ongoing"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", finish_transactions=2.0, leave_transactions=True)
        await until(lambda: switchover.over)
    assert (switchover.state, switchover.aborted, primary.fenced_ids) == ("done", [], [])
    assert switchover.history[1].detail == "1 were open, 1 still are and are left so: whoever moves loses them"
    assert switchover.plan is not None
    assert "left open, and lost for producers that move" in switchover.plan.notes[0]


async def test_a_transaction_that_began_under_the_fence_ends_too(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=("drain",))
        await until(lambda: switchover.paused_before is not None)
        primary.transactions = {"late": "Ongoing"}
        plane.switchovers.go_on(switchover)
        await trio.sleep(1)
        primary.transactions.clear()
        await until(lambda: switchover.over)
    assert fences(world) == ["open", "held", "ending ['late']", "held", "held", "open"]
    assert switchover.state == "done"


async def test_a_cluster_that_does_not_tell_its_transactions(world: World, autojump_clock: MockClock):
    world.cluster("primary").mute = {"open_transactions"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert switchover.history[1].detail == "transactions could not be asked for: those that are open are lost"
    assert switchover.plan is not None
    assert any("an answer about transactions" in note for note in switchover.plan.notes)


async def test_clients_that_connect_wait_until_what_was_held_is_written(world: World, autojump_clock: MockClock):
    world.overdue = 2
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.state == "unfence")
        await until(lambda: not world.published[-1].routes["orders"].fenced)
        assert world.published[-1].routes["orders"].newcomers_wait
        assert switchover.detail == "held writes of 2 connections are being written"
        world.overdue = 0
        await until(lambda: not world.published[-1].routes["orders"].newcomers_wait)
        await until(lambda: switchover.over)
    assert switchover.state == "done"


@pytest.mark.parametrize(
    ("there", "behind"),
    [({("payments", 0): 2}, "behind"), ({}, "absent"), ({("payments", 0): 4}, "ahead")],
)
async def test_what_groups_have_committed_is_written_to_the_target(
    world: World, autojump_clock: MockClock, there: dict[tuple[str, int], int], behind: str
):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("billing", "classic", "Stable", ("billing-1", "billing-2"))]
    primary.commits["billing"] = {("payments", 0): 9}
    standby.commits["billing"] = there
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", sync_groups=300.0)
        started = trio.current_time()
        await until(lambda: switchover.over)
        assert trio.current_time() - started < 300, behind  # of the test's own clock
    assert standby.commits["billing"] == {("payments", 0): 3}  # the sync says 8 -> 2
    assert switchover.groups == [GroupPosition("billing", "payments", 0, 9, 3, 0)]
    assert switchover.history[4].detail == (
        "1 of 1 positions of groups are exact; those of 1 groups were written to standby"
    )
    assert switchover.plan is not None
    (group,) = switchover.plan.groups
    assert (group.name, group.clients, group.lag) == ("billing", ("billing-1", "billing-2"), 1)


@pytest.mark.parametrize(
    ("there", "becomes", "said"),
    [
        (2, 3, "1 of 1 positions of groups are exact; those of 1 groups were written to standby"),
        (4, 4, "0 of 1 positions of groups are exact, 1 are AHEAD, by 1 records that would be skipped"),
    ],
)
async def test_a_group_without_members_is_brought_forward_and_not_set_back(
    world: World, autojump_clock: MockClock, there: int, becomes: int, said: str
):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("nightly", "classic", "Empty")]
    primary.commits["nightly"] = {("payments", 0): 9}
    standby.commits["nightly"] = {("payments", 0): there}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    assert standby.commits["nightly"] == {("payments", 0): becomes}
    assert switchover.history[4].detail == said


async def test_groups_that_the_target_does_not_take_are_waited_for(world: World, autojump_clock: MockClock):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("billing", "classic", "Stable")]
    primary.commits["billing"] = {("payments", 0): 9}
    standby.commits["billing"] = {("payments", 0): 2}
    standby.refuses_commits = "GROUP_AUTHORIZATION_FAILED"
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", sync_groups=5.0)
        await trio.sleep(1)
        assert (switchover.state, switchover.detail) == (
            "groups",
            "0 of 1 positions of groups are exact, 1 are behind, by 1 records in all; "
            "standby refused those of 1 (billing: GROUP_AUTHORIZATION_FAILED)",
        )
        standby.commits["billing"] = {("payments", 0): 3}
        await until(lambda: switchover.over)
    assert switchover.groups == [GroupPosition("billing", "payments", 0, 9, 3, 0)]


async def test_groups_with_members_on_the_target_are_not_waited_for(world: World, autojump_clock: MockClock):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("billing", "classic", "Stable")]
    primary.commits["billing"] = {("payments", 0): 9}
    standby.commits["billing"] = {("payments", 0): 2}
    standby.refuses_commits = "UNKNOWN_MEMBER_ID"
    async with running_plane(world) as plane:
        started = trio.current_time()
        switchover = plane.start_switchover("orders", "standby", sync_groups=300.0)
        await until(lambda: switchover.over)
        assert trio.current_time() - started < 300  # of the test's own clock
    assert switchover.groups == [GroupPosition("billing", "payments", 0, 9, 2, 1)]


async def test_without_the_remedy_groups_are_waited_for_and_compared(world: World, autojump_clock: MockClock):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("billing", "classic", "Stable"), Group("left", "classic", "Empty")]
    primary.commits = {name: {("payments", 0): 9} for name in ("billing", "left")}
    standby.commits = {name: {("payments", 0): 2} for name in ("billing", "left")}
    async with running_plane(world, WITHOUT_GROUP_OFFSETS) as plane:
        switchover = plane.start_switchover("orders", "standby", sync_groups=300.0)
        await trio.sleep(1)
        assert switchover.detail == "0 of 2 positions of groups are exact, 2 are behind, by 2 records in all"
        standby.commits["billing"] = {("payments", 0): 3}  # and nobody reads on from what is left
        await until(lambda: switchover.over)
    assert switchover.groups == [
        GroupPosition("left", "payments", 0, 9, 2, 1),
        GroupPosition("billing", "payments", 0, 9, 3, 0),
    ]


async def test_groups_that_are_not_synced_do_not_forbid_the_switch(world: World, autojump_clock: MockClock):
    primary = world.cluster("primary")
    primary.group_list = [Group("billing", "consumer", "Stable")]
    primary.commits["billing"] = {("payments", 0): 3}  # before the last sync: nothing tells where that is
    world.cluster("standby").commits["billing"] = {("payments", 0): 0}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", sync_groups=2.0)
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert switchover.groups == [GroupPosition("billing", "payments", 0, 3, 0, None)]
    assert switchover.history[4].detail == "0 of 1 positions of groups are exact, 1 cannot be told"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({}, "0 of 1 positions of groups are exact, 1 are absent: there the reset policy decides"),
        ({("payments", 0): 4}, "0 of 1 positions of groups are exact, 1 are AHEAD, by 1 records that would be skipped"),
    ],
)
async def test_positions_that_no_waiting_mends_are_told(
    world: World, autojump_clock: MockClock, there: dict[tuple[str, int], int], said: str
):
    primary = world.cluster("primary")
    primary.group_list = [Group("billing", "classic", "Stable")]
    primary.commits["billing"] = {("payments", 0): 9}
    world.cluster("standby").commits["billing"] = there
    async with running_plane(world, WITHOUT_GROUP_OFFSETS) as plane:
        switchover = plane.start_switchover("orders", "standby", sync_groups=1.0)
        await until(lambda: switchover.over)
    assert switchover.history[4].detail == said


async def test_groups_that_cannot_be_asked_for_are_not_compared(world: World, autojump_clock: MockClock):
    world.cluster("standby").mute = {"committed"}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert switchover.history[4].detail == "not compared: groups could not be asked for"


async def test_byte_preserving_replication_keeps_positions(world: World, autojump_clock: MockClock):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    standby.logs["payments", 0] = (0, 10)
    primary.group_list = [Group("billing", "classic", "Stable")]
    primary.commits["billing"] = {("payments", 0): 3}
    standby.commits["billing"] = {("payments", 0): 3}
    text = ORDERS.replace("mirrormaker}", "none, replication_by_standby: {standby: byte-preserving}}")
    async with running_plane(world, text) as plane:
        switchover = plane.start_switchover("orders", "standby")
        await until(lambda: switchover.over)
    assert switchover.groups == [GroupPosition("billing", "payments", 0, 3, 3, 0)]


async def test_commits_that_came_until_the_last_connection_was_closed_are_taken_along(
    world: World, autojump_clock: MockClock
):
    primary, standby = world.cluster("primary"), world.cluster("standby")
    primary.group_list = [Group("billing", "classic", "Stable")]
    primary.commits["billing"] = {("payments", 0): 8}
    async with running_plane(world) as plane:
        switchover = plane.start_switchover("orders", "standby", pause_before=("move",))
        await until(lambda: switchover.paused_before == "move")
        assert standby.commits["billing"] == {("payments", 0): 2}
        primary.commits["billing"] = {("payments", 0): 9}
        plane.switchovers.go_on(switchover)
        await until(lambda: switchover.over)
    assert standby.commits["billing"] == {("payments", 0): 3}
    (moved,) = [each.detail for each in switchover.history if each.state == "move"]
    assert moved.endswith("; late commits of 1 groups were taken along")
