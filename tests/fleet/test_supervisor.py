"""Workers as real processes: they share the ports, and one's death is nobody else's."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest
import trio

from appliance.fleet import supervisor as supervisor_module
from appliance.fleet.errors import WorkersFailError
from appliance.fleet.fleet import Fleet
from appliance.fleet.supervisor import Supervisor
from appliance.gateway.errors import PortTaken
from tests.fleet.scene import edition_of, fault_in_force, scene, until_gone
from tests.gateway import messages
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker


async def test_all_workers_serve_on_the_same_port():
    async with scene(2) as here:
        first, _ = await here.link_through(1)
        second, _ = await here.link_through(2)
        await here.fleet.refresh()
        assert [(each.number, each.edition, each.connections, each.restarts) for each in here.fleet.workers()] == [
            (1, 1, 1, 0),
            (2, 1, 1, 0),
        ]
        facts = here.fleet.facts()
        assert facts.connections == {("orders", "primary", None): 2}
        assert ("127.0.0.1", here.base) in facts.doors
        assert facts.clusters["primary"] == (here.broker.cluster_id, here.broker.nodes)
        assert here.supervisor.ready
        await first.stream.aclose()
        await second.stream.aclose()


async def test_a_killed_worker_breaks_its_own_connections_and_is_replaced(caplog: pytest.LogCaptureFixture):
    async with scene(2) as here:
        victim, _ = await here.link_through(1)
        other, conversation = await here.link_through(2)
        pid = here.worker(1).process.pid
        os.kill(pid, signal.SIGKILL)
        await victim.closed()
        await other.send(messages.opaque(2))
        await conversation.answer(await conversation.expect_request(), b"still here")
        assert await other.receive() == (2, b"still here")
        await here.until_replaced(1)
        assert (here.worker(1).edition, here.worker(1).process.pid != pid) == (1, True)
        await here.link_through(1)
        await other.send(messages.opaque(3))
        assert (await conversation.expect_request()).correlation_id == 3
    assert f"worker 1 (pid {pid}) ended: SIGKILL; another takes its place" in caplog.text


async def test_a_worker_has_the_current_edition_before_it_opens_its_doors():
    async with scene(2) as here:
        await here.publish(fenced=True)
        os.kill(here.worker(1).process.pid, signal.SIGKILL)
        await here.until_replaced(1)
        assert here.worker(1).edition == 2
        client, conversation = await here.link_through(1)
        await client.send(messages.produce(2))
        await here.fleet.refresh()
        assert await conversation.is_quiet()


async def test_an_edition_is_in_effect_when_every_worker_serves_by_it():
    async with scene(2) as here:
        links = [await here.link_through(number) for number in (1, 2)]
        await here.publish(fenced=True)
        for client, conversation in links:
            await client.send(messages.produce(2))
            assert await conversation.is_quiet()
        assert here.fleet.facts().snapshot_version == 2
        await here.publish(fenced=False)
        asked = [await conversation.expect_request() for _, conversation in links]
        await here.fleet.refresh()
        assert here.fleet.writes_in_flight("orders") == 2
        for (client, conversation), question in zip(links, asked, strict=True):
            await conversation.answer(question, messages.produce_answer())
            assert (await client.receive())[0] == 2
        await here.fleet.refresh()
        assert here.fleet.writes_in_flight("orders") == 0


@pytest.mark.parametrize(("trigger", "fired"), [({"first": 3}, 3), ({"nth": 5}, 1), ({"every": 4}, 2), ({}, 10)])
async def test_a_trigger_goes_by_the_requests_of_all_workers(trigger: dict[str, int], fired: int):
    async with scene(2) as here:
        links = [await here.link_through(number) for number in (1, 2)]
        await here.publish(faults=(fault_in_force(7, trigger=trigger),))
        for number in range(2, 7):
            for client, conversation in links:
                await client.send(messages.opaque(number))
                await conversation.answer(await conversation.expect_request(), b"")
                await client.receive()
        await here.fleet.refresh()
        counts = here.fleet.fault_counts(7)
        assert (counts.matched, counts.fired, set(counts.clients)) == (10, fired, {"tester"})


async def test_counters_go_on_when_a_fault_is_over_and_when_a_worker_dies():
    async with scene(2) as here:
        client, conversation = await here.link_through(1)
        await here.publish(faults=(fault_in_force(7, trigger={"first": 3}),))
        for number in (2, 3):
            await client.send(messages.opaque(number))
            await conversation.answer(await conversation.expect_request(), b"")
            await client.receive()
        await here.fleet.refresh()
        os.kill(here.worker(1).process.pid, signal.SIGKILL)
        await here.until_replaced(1)
        other, conversation = await here.link_through(1)  # its first request is the third that matches
        await other.send(messages.opaque(2))
        assert (await conversation.expect_request()).correlation_id == 2
        await here.publish()
        assert here.fleet.fault_counts(7).fired == 3


async def test_a_silent_worker_holds_editions_up_until_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async with scene(2) as here:
        victim, _ = await here.link_through(1)
        pid = here.worker(1).process.pid
        os.kill(pid, signal.SIGSTOP)
        with trio.move_on_after(1.5) as waited:
            await here.publish(fenced=True)
        assert waited.cancelled_caught
        assert here.fleet.facts().snapshot_version == 1
        monkeypatch.setattr(supervisor_module, "SILENT_SECONDS", 1)
        await here.fleet.in_effect(2)
        await victim.closed()
    assert f"worker 1 (pid {pid}) has been silent for 1 s" in caplog.text


async def test_a_worker_that_is_asked_to_end_lets_go_and_is_replaced():
    async with scene(2) as here:
        client, conversation = await here.link_through(1)
        await client.send(messages.produce(2))
        asked = await conversation.expect_request()
        pid = here.worker(1).process.pid
        os.kill(pid, signal.SIGTERM)
        await here.until_its_doors_are_closed(1)
        await client.send(messages.produce(3))  # held: its answer could not be waited for
        await conversation.answer(asked, messages.produce_answer())
        assert (await client.receive())[0] == 2
        await client.closed()
        assert await conversation.ended()
        await here.until_replaced(1)
        await here.link_through(1)


async def test_a_drain_answers_what_is_under_way_and_leaves_no_process():
    async with scene(2) as here:
        links = [await here.link_through(number) for number in (1, 2)]
        for client, _ in links:
            await client.send(messages.produce(2))
        asked = [await conversation.expect_request() for _, conversation in links]
        pids = [each.process.pid for each in here.fleet.alive]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.supervisor.drain, 30.0)
            for (client, conversation), question in zip(links, asked, strict=True):
                await conversation.answer(question, messages.produce_answer())
                assert (await client.receive())[0] == 2
                await client.closed()
        assert (here.fleet.alive, here.supervisor.ready) == ([], False)
        await until_gone(*pids)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", here.base)


async def test_a_drain_has_a_deadline():
    async with scene(2) as here:
        client, conversation = await here.link()
        await client.send(messages.produce(2))
        await conversation.expect_request()  # and never an answer
        with trio.fail_after(15):
            await here.supervisor.drain(0.5)
        assert not here.fleet.alive
        await client.closed()


async def test_clients_of_all_workers_are_moved():
    async with scene(2) as here, scripted_broker(node_id=1) as standby:
        links = [await here.link_through(number) for number in (1, 2)]
        moved = edition_of(2, standby, here.base)
        cluster = moved.resources[0].model_copy(
            update={"metadata": moved.resources[0].metadata.model_copy(update={"name": "standby"})}
        )
        standing = moved.virtual_clusters["orders"].model_copy(update={"serving": "standby"})
        here.fleet.publish(
            moved.model_copy(
                update={
                    "resources": (*here.fleet.edition.resources, cluster),
                    "virtual_clusters": {"orders": standing},
                }
            )
        )
        await here.fleet.in_effect(2)
        assert await here.fleet.move_clients("orders") == 2
        for client, _ in links:
            await client.closed()


async def test_a_port_that_a_stranger_has_is_refused_though_he_would_share_it():
    async with scripted_broker() as broker:
        base = free_base()
        fleet = Fleet(trio.current_time, lambda: 0.0, b"disguise")
        fleet.publish(edition_of(1, broker, base))
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            stranger.bind(("127.0.0.1", base))
            stranger.listen()
            with pytest.raises(PortTaken, match=f"cannot open 127.0.0.1:{base}: already in use"):
                await Supervisor(fleet, 2).serve()


async def test_workers_that_end_again_and_again_are_given_up():
    async with scripted_broker() as broker:
        fleet = Fleet(trio.current_time, lambda: 0.0, b"disguise")
        fleet.publish(edition_of(1, broker, free_base()))
        failing = Supervisor(fleet, 1, command=[sys.executable, "-c", "raise SystemExit(3)"])
        with pytest.RaisesGroup(
            pytest.RaisesExc(WorkersFailError, match="worker 1 ended 5 times in a row .* with exit status 3")
        ):
            await failing.serve()
        assert fleet.alive == []
        assert [each.pid for each in fleet.workers()] == [None]
