"""Switchovers over clusters in memory, on a clock that jumps."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.control.plan import PlannedClients
from appliance.control.plane import ControlPlane
from appliance.control.switchover import Switchover
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.gateway.errors import ClusterUnreachable
from tests.control.world import ORDERS, World, declared, running_plane, until

ROUND = [
    "preflight", "transactions", "fence", "drain", "groups", "positions", "switch", "move", "unfence", "verify", "done",
]  # fmt: skip


@pytest.fixture
def world() -> World:
    made = World()
    made.in_step()
    return made


def start(plane: ControlPlane, to: str = "standby", **changes: Any) -> Switchover:
    options: dict[str, Any] = {"hold": 20.0, "refuse": 0.0}
    return plane.start_switchover("orders", to, **{**options, **changes})


async def finish(plane: ControlPlane, to: str = "standby", **changes: Any) -> Switchover:
    switchover = start(plane, to, **changes)
    await until(lambda: switchover.over)
    return switchover


def states(switchover: Switchover) -> list[str]:
    return [each.state for each in switchover.history]


def published(world: World) -> list[tuple[str, bool]]:
    """Who served, and whether the fence was down, in each snapshot."""
    return [(each.routes["orders"].target.name, each.routes["orders"].fenced) for each in world.published]


async def test_a_planned_switchover_goes_through_all_states(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        switchover = await finish(plane)
    assert states(switchover) == ROUND
    assert published(world) == [("primary", False), ("primary", True), ("standby", True), ("standby", False)]
    assert world.moved == [("orders", "standby")]
    assert switchover.plan is not None
    assert (switchover.plan.topics, switchover.plan.partitions, switchover.plan.connections) == (1, 1, 3)
    assert switchover.history[0].at == "2026-08-01T12:00:00.000+00:00"
    assert "every partition has a leader" in switchover.history[-2].detail


async def test_it_waits_for_writes_then_for_replication(world: World, autojump_clock: MockClock):
    standby = world.cluster("standby")
    standby.logs["payments", 0] = (0, 3)
    world.writes = 2
    async with running_plane(world) as plane:
        switchover = start(plane)
        await trio.sleep(1)
        assert (switchover.state, switchover.detail) == ("drain", "2 writes without an answer")
        world.writes = 0
        await trio.sleep(1)
        assert switchover.detail == "1 records to replicate: payments/0: 1 records"
        assert [each.lag for each in switchover.lag] == [1]
        world.cluster("primary").logs["payments", 0] = (0, 50)  # by someone who goes around the gateway
        standby.logs["payments", 0] = (0, 4)
        await until(lambda: switchover.over)
    assert switchover.state == "done"
    assert "1 partitions caught up" in switchover.history[3].detail


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (lambda world: setattr(world, "writes", 1), "not drained within 3s: 1 writes without an answer"),
        (
            lambda world: world.cluster("standby").logs.update({("payments", 0): (0, 2)}),
            "not drained within 3s: payments/0: 2 records",
        ),
    ],
    ids=["writes", "lag"],
)
async def test_what_does_not_drain_is_rolled_back(
    world: World, autojump_clock: MockClock, trouble: Callable[[World], None], reason: str
):
    trouble(world)
    async with running_plane(world) as plane:
        switchover = await finish(plane, hold=3.0)
        assert plane.serving("orders") == "primary"
    assert switchover.state == "rolled-back"
    assert reason in switchover.detail
    assert "primary serves as before" in switchover.detail
    assert 3.0 <= switchover.history[-1].seconds < 3.5
    assert published(world) == [("primary", False), ("primary", True), ("primary", False)]
    assert world.moved == []


async def test_writes_are_counted_only_when_every_worker_holds_them(world: World, autojump_clock: MockClock):
    world.withheld = True
    async with running_plane(world) as plane:
        switchover = start(plane)
        await trio.sleep(5)
        assert switchover.state == "fence"
        world.withheld = False
        await until(lambda: switchover.over)
    assert states(switchover) == ROUND


async def test_a_worker_that_never_holds_the_writes_takes_everything_back(world: World, autojump_clock: MockClock):
    world.withheld = True
    async with running_plane(world) as plane:
        switchover = await finish(plane, hold=3.0)
        assert plane.serving("orders") == "primary"
    assert states(switchover) == ["preflight", "transactions", "fence", "rolled-back"]
    assert switchover.detail == "not every worker held the writes within 3s; primary serves as before"
    assert published(world) == [("primary", False), ("primary", True), ("primary", False)]


async def test_clients_are_moved_only_when_every_worker_has_switched(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        switchover = start(plane, mode="unplanned")
        await until(lambda: switchover.state == "preflight")
        world.withheld = True
        await until(lambda: switchover.state == "move")
        await trio.sleep(10)
        assert (switchover.state, world.moved) == ("move", [])
        world.withheld = False
        await until(lambda: switchover.over)
    assert (switchover.state, world.moved) == ("done", [("orders", "standby")])


async def test_a_cluster_that_dies_during_the_drain_is_rolled_back(world: World, autojump_clock: MockClock):
    world.writes = 1
    async with running_plane(world) as plane:
        switchover = start(plane)
        await trio.sleep(1)
        world.cluster("standby").reachable = False
        world.writes = 0
        await until(lambda: switchover.over)
    assert (switchover.state, world.snapshot.routes["orders"].fenced) == ("rolled-back", False)
    assert switchover.detail == "cluster standby cannot be reached; primary serves as before"


@pytest.mark.parametrize("dead", ["primary", "standby"])
async def test_preflight_needs_both_clusters(world: World, autojump_clock: MockClock, dead: str):
    world.cluster(dead).reachable = False
    async with running_plane(world) as plane:
        switchover = await finish(plane)
    assert states(switchover) == ["preflight", "rolled-back"]
    assert f"cluster {dead} cannot be reached" in switchover.detail
    assert switchover.detail.endswith("; nothing was changed")
    assert len(world.published) == 1


async def test_preflight_lists_all_that_is_absent(world: World, autojump_clock: MockClock):
    world.cluster("primary").logs |= {("a", 0): (0, 0), ("b", 0): (0, 0), ("b", 1): (0, 0)}
    world.cluster("standby").logs["b", 0] = (0, 0)
    async with running_plane(world) as plane:
        switchover = await finish(plane)
    assert switchover.plan is not None
    assert switchover.plan.problems == (
        "topic a: expected it on standby, as on primary, found no such topic; "
        "create it, or let the replication carry it",
        "topic b: expected 2 partitions on standby, as on primary, found 1; add partitions there",
    )


async def test_a_dry_run_only_looks(world: World, autojump_clock: MockClock):
    world.cluster("standby").logs["payments", 0] = (0, 3)
    async with running_plane(world) as plane:
        switchover = await finish(plane, dry_run=True, hold=60.0)
    assert states(switchover) == ["preflight", "done"]
    assert switchover.plan is not None
    assert switchover.plan.lag == 1
    assert "a hold below the 30s after which the least patient client" in switchover.plan.notes[0]
    assert len(world.published) == 1


async def test_writes_are_held_as_long_as_the_least_patient_client_allows(world: World, autojump_clock: MockClock):
    world.clients = {
        ClientKind("orders", "librdkafka", "2.16.0"): Clientele(5, 9.0),
        ClientKind("orders", "apache-kafka-java", "4.3.1"): Clientele(7, 30.0),
        ClientKind("orders", "", ""): Clientele(5),
        ClientKind("others", "sarama", "1.0"): Clientele(9, 1.5),
    }
    world.writes = 1
    async with running_plane(world) as plane:
        switchover = await finish(plane, hold=None)
    plan = switchover.plan
    assert plan is not None
    assert plan.hold == 6.0
    assert plan.parts[0].clients == (
        PlannedClients("apache-kafka-java", "4.3.1", 7, 30.0),
        PlannedClients("", "", 5, None),
        PlannedClients("librdkafka", "2.16.0", 5, 9.0),
    )
    assert "not drained within 6s" in switchover.detail
    assert 6.0 <= switchover.history[-1].seconds < 6.5


async def test_a_hold_that_is_asked_for_is_kept_and_the_plan_says_who_will_not_wait(
    world: World, autojump_clock: MockClock
):
    world.clients = {ClientKind("orders", "librdkafka", "2.16.0"): Clientele(1, 9.0)}
    async with running_plane(world) as plane:
        switchover = await finish(plane, dry_run=True, hold=10.0)
    assert switchover.plan is not None
    assert switchover.plan.hold == 10.0
    assert "a hold below the 9s after which the least patient client" in switchover.plan.notes[0]


async def test_unplanned_asks_nothing_of_the_source(world: World, autojump_clock: MockClock):
    world.cluster("primary").reachable = False
    world.writes = 5
    async with running_plane(world) as plane:
        await trio.sleep(1)
        asked_before = world.cluster("primary").asked
        switchover = await finish(plane, mode="unplanned")
        assert plane.serving("orders") == "standby"
        assert world.cluster("primary").asked == asked_before
    assert states(switchover) == ["preflight", "positions", "switch", "move", "unfence", "verify", "done"]
    assert published(world) == [("primary", False), ("standby", True), ("standby", False)]


async def test_switching_to_who_serves_is_done_at_once(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        assert states(start(plane, "primary")) == ["preflight", "done"]
        await finish(plane)
        again = start(plane)
        assert (again.state, again.detail) == ("done", "standby serves orders already")


async def test_one_at_a_time(world: World, autojump_clock: MockClock):
    world.writes = 1
    async with running_plane(world) as plane:
        start(plane)
        await trio.sleep(0.1)
        with pytest.raises(ConflictError, match=r"a switchover of orders to standby is under way \(sw-1, drain\)"):
            start(plane, "primary")
        with pytest.raises(ConflictError, match="is under way"):
            await plane.put(declared(ORDERS.replace("mirrormaker", "none"))[2])


async def test_impossible_requests_are_refused_at_once(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        with pytest.raises(UnfitError, match="expected one of primary, standby"):
            start(plane, "third")
        with pytest.raises(UnknownError):
            plane.start_switchover("x", "standby")
        assert plane.switchover("orders") is None


async def test_unmeasured_replication_has_to_be_asked_for(world: World, autojump_clock: MockClock):
    async with running_plane(world, ORDERS.replace("mirrormaker", "none")) as plane:
        with pytest.raises(UnfitError, match="--leave-records-behind"):
            start(plane)
        switchover = await finish(plane, leave_records_behind=True)
    assert states(switchover) == ROUND
    assert switchover.plan is not None
    (note,) = switchover.plan.notes
    assert note.endswith("records that are only on primary stay there")


async def test_a_target_with_writers_of_its_own_is_not_trusted(world: World, autojump_clock: MockClock):
    world.cluster("standby").logs["payments", 0] = (0, 99)
    async with running_plane(world) as plane:
        refused = await finish(plane, hold=1.0)
        assert (refused.state, [each.known for each in refused.lag]) == ("rolled-back", [False])
        assert (await finish(plane, leave_records_behind=True)).state == "done"


async def test_byte_preserving_replication_is_measured_by_ends(world: World, autojump_clock: MockClock):
    async with running_plane(world, ORDERS.replace("mirrormaker", "byte-preserving")) as plane:
        assert "payments/0: 6 records" in (await finish(plane, hold=1.0)).detail
        world.cluster("standby").logs["payments", 0] = (0, 10)
        assert (await finish(plane)).state == "done"


async def test_behind_the_point_of_no_return_errors_say_what_to_do(world: World, autojump_clock: MockClock):
    world.move_error = ClusterUnreachable("cluster standby cannot be reached")
    world.cluster("standby").headless = [("payments", 0)]
    async with running_plane(world) as plane:
        switchover = await finish(plane)
        assert plane.serving("orders") == "standby"
    assert switchover.state == "failed"
    assert not world.snapshot.routes["orders"].fenced
    for part in (
        "standby serves orders; ",
        "restart those on the old cluster",
        "tidegate switchover orders --to primary",
    ):
        assert part in switchover.detail


async def test_verify_waits_for_leaders(world: World, autojump_clock: MockClock):
    standby = world.cluster("standby")
    async with running_plane(world) as plane:
        standby.headless = [("payments", 0)]
        switchover = start(plane)
        await until(lambda: switchover.state == "verify")
        await trio.sleep(1)
        assert switchover.detail == "1 partitions have no leader yet"
        standby.headless = []
        await until(lambda: switchover.over)
    assert switchover.state == "done"


async def test_there_and_back(world: World, autojump_clock: MockClock):
    async with running_plane(world) as plane:
        await finish(plane)
        world.cluster("standby").add_sync("primary", "payments", 0, 4, 10)
        switchover = await finish(plane, "primary")
        assert (switchover.state, plane.serving("orders")) == ("done", "primary")
    assert world.moved == [("orders", "standby"), ("orders", "primary")]
