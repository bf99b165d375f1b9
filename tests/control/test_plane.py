"""Every change ends in one snapshot, or is refused and changes nothing."""
# ruff: noqa: ARG001 - pytest-trio finds the clock among a test's own arguments

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.control.statedir import StateDir
from appliance.exchange.route import Target
from appliance.gateway.snapshot import Door
from appliance.policies.connect.fence import OPEN, Fence
from appliance.resources.listener import BrokerPorts, ListenerSpec
from tests.control.world import ORDERS, World, declared, fault, make_plane, running_plane, serve_from

THIRD = '{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["10.0.0.9:9092"]}}'


def orders(**changes: str) -> str:
    """The virtual cluster alone, with another spec."""
    spec = {"cluster": "primary", "standbys": "[standby]", **changes}
    words = ", ".join(f"{key}: {value}" for key, value in spec.items())
    return f"{{kind: VirtualCluster, metadata: {{name: orders}}, spec: {{{words}}}}}"


def test_the_first_snapshot_has_what_is_declared():
    world = World()
    make_plane(world)
    (snapshot,) = world.published
    assert snapshot.version == 1
    assert snapshot.routes["orders"].target == Target("primary", (("10.0.0.1", 9092),))
    assert not snapshot.routes["orders"].fenced
    assert snapshot.doors == (
        Door(
            "orders",
            ListenerSpec(
                bind="127.0.0.1:19092", virtual_cluster="orders", broker_ports=BrokerPorts(first=19093, count=10)
            ),
        ),
    )


def test_resources_that_do_not_fit_are_refused_with_all_problems():
    with pytest.raises(UnfitError) as caught:
        make_plane(World(), orders())
    assert len(caught.value.problems) == 2


async def test_put_creates_changes_and_sees_what_is_unchanged():
    world = World()
    plane = make_plane(world)
    (third,) = declared(THIRD)
    assert await plane.put(third) == "created"
    assert await plane.put(third) == "unchanged"
    (moved,) = declared(THIRD.replace("10.0.0.9", "10.0.0.10"))
    assert await plane.put(moved) == "changed"
    assert [each.version for each in world.published] == [1, 2, 3]


async def test_a_refused_put_changes_nothing():
    world = World()
    plane = make_plane(world)
    (lost,) = declared('{kind: Listener, metadata: {name: l}, spec: {bind: "h:1", virtual_cluster: b}}')
    with pytest.raises(UnfitError):
        await plane.put(lost)
    with pytest.raises(UnknownError):
        plane.get("Listener", "l")
    assert len(world.published) == 1


async def test_a_put_does_not_switch_secretly():
    world = World()
    plane = make_plane(world)
    (other,) = declared(orders(cluster="standby", standbys="[primary]"))
    with pytest.raises(ConflictError, match="comes to serve by a switchover"):
        await plane.put(other)
    (without,) = declared(orders(cluster="standby", standbys="[]"))
    with pytest.raises(ConflictError, match="switch over before you take it away"):
        await plane.put(without)


async def test_after_a_switch_the_spec_may_follow_and_come_back():
    world = World()
    plane = make_plane(world)
    await serve_from(plane, "standby")
    (follows,) = declared(orders(cluster="standby", standbys="[primary]"))
    assert await plane.put(follows) == "changed"
    assert (plane.serving("orders"), world.snapshot.routes["orders"].target.name) == ("standby", "standby")
    (back,) = declared(orders())
    with pytest.raises(ConflictError):
        await plane.put(back)


async def test_delete_is_refused_while_something_refers_to_it():
    world = World()
    plane = make_plane(world)
    with pytest.raises(ConflictError, match="it is used by VirtualCluster orders"):
        await plane.delete("Cluster", "standby")
    with pytest.raises(ConflictError, match="it is used by Listener orders"):
        await plane.delete("VirtualCluster", "orders")
    await plane.delete("Listener", "orders")
    plane.put_fault(fault())
    with pytest.raises(ConflictError, match="it is used by Fault slow"):
        await plane.delete("VirtualCluster", "orders")
    plane.end_faults()
    await plane.delete("VirtualCluster", "orders")
    await plane.delete("Cluster", "standby")
    with pytest.raises(UnknownError):
        await plane.delete("Cluster", "standby")
    assert (world.snapshot.doors, dict(world.snapshot.routes)) == ((), {})


async def test_changes_survive_a_restart_and_faults_do_not(tmp_path: Path):
    state = StateDir(tmp_path)
    plane = make_plane(World(), state=state)
    (third,) = declared(THIRD)
    await plane.put(third)
    await plane.delete("Listener", "orders")
    await serve_from(plane, "standby")
    plane.put_fault(fault())
    state.close()
    state, world = StateDir(tmp_path), World()
    again = make_plane(world, state=state)
    state.close()
    assert again.get("Cluster", "third") == third
    assert (world.snapshot.routes["orders"].target.name, world.snapshot.doors) == ("standby", ())
    assert again.faults.all() == []


async def test_what_cannot_be_kept_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    state, world = StateDir(tmp_path), World()
    plane = make_plane(world, state=state)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.control.statedir.os.fsync", full)
    with pytest.raises(Exception, match="No space left on device"):
        await serve_from(plane, "standby")
    state.close()
    assert (plane.serving("orders"), len(world.published)) == ("primary", 1)


def test_standard_interceptors_outlive_snapshots_until_their_spec_changes():
    made = []

    def standard(spec: object) -> tuple[()]:
        made.append(spec)
        return ()

    world = World(standard=standard)
    plane = make_plane(world)
    plane.set_fences(["orders"], Fence("held"))
    plane.set_fences(["orders"], OPEN)
    assert len(made) == 1
    assert [each.routes["orders"].fenced for each in world.published] == [False, True, False]


async def test_faults_come_and_go_with_their_leases(autojump_clock: MockClock):
    world = World()
    async with running_plane(world) as plane:
        plane.put_fault(fault())
        plane.put_fault(fault("dark", starts_in="5s", lease="1m", outage={"cluster": "standby", "mode": "refuse"}))
        assert len(world.snapshot.routes["orders"].interceptors) == 1
        assert world.snapshot.routes["orders"].outages == {}
        await trio.sleep(5.1)
        assert list(world.snapshot.routes["orders"].outages) == ["standby"]
        await trio.sleep(9.0)
        plane.renew_fault("slow")
        await trio.sleep(14.8)
        assert len(world.snapshot.routes["orders"].interceptors) == 1
        await trio.sleep(0.3)
        assert not world.snapshot.routes["orders"].interceptors
        assert plane.faults.get("slow").state == "lapsed"
        assert [each.fault.name for each in plane.end_faults()] == ["dark"]
        assert world.snapshot.routes["orders"].outages == {}


async def test_a_shorter_deadline_wakes_the_sweeper(autojump_clock: MockClock):
    world = World()
    async with running_plane(world) as plane:
        plane.put_fault(fault("long", lease="10m", duration="10m"))
        await trio.sleep(1)
        plane.put_fault(fault("short", duration="2s"))
        await trio.sleep(2.1)
        assert plane.faults.get("short").state == "ended"
        assert len(world.snapshot.routes["orders"].interceptors) == 1


async def test_a_fault_on_nothing_is_refused():
    plane = make_plane(World())
    with pytest.raises(UnfitError, match="there is no VirtualCluster other"):
        plane.put_fault(fault(virtual_cluster="other"))


def test_an_edited_file_is_remarked_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    state = StateDir(tmp_path)
    trio.run(make_plane(World(), state=state).put, declared(ORDERS.replace("10.0.0.1", "10.1.0.1"))[0])
    make_plane(World(), ORDERS.replace("10.0.0.1", "10.2.0.1"), state=state)
    state.close()
    assert "Cluster primary: its file is newer" in caplog.text
