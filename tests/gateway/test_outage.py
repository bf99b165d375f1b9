"""An outage by decree: standing and new connections to that cluster suffer as they would, until it is over."""

from typing import get_args

import pytest
import trio

from appliance.exchange.interceptor import Mode
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import Client, CountedOutage, between_two, scene, target_of

MODES: tuple[Mode, ...] = get_args(Mode)


async def feels(client: Client) -> str:
    """Return what the client feels: `end`, `reset` or, once nothing more happens, `silence`."""
    if await client.is_quiet():
        return "silence"
    try:
        return "end" if await client.rest() == b"" else "answered"
    except trio.BrokenResourceError:
        return "reset"


FELT = {"refuse": "end", "reset": "reset", "blackhole": "silence"}


@pytest.mark.parametrize("mode", MODES)
async def test_standing_connections_are_struck(mode: Mode):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2))
        await conversation.expect_request()
        outage = CountedOutage(mode)
        here.publish(outages={"primary": outage})
        assert await conversation.ended()
        assert await feels(client) == FELT[mode]
        assert len(outage.clients) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_new_connections_are_struck_and_the_broker_never_sees_them(mode: Mode):
    async with scene() as here:
        await here.is_served()
        outage = CountedOutage(mode)
        here.publish(outages={"primary": outage})
        client = await here.client()
        assert await feels(client) == FELT[mode]
        if mode == "blackhole":
            await client.send(messages.opaque(1))
            assert await client.is_quiet()
        assert len(outage.clients) == 1
        assert here.broker.arrived == 1


@pytest.mark.parametrize("mode", MODES)
async def test_the_outage_ends_with_its_snapshot(mode: Mode, log: Log):
    async with scene() as here:
        standing, _ = await here.link()
        here.publish(outages={"primary": CountedOutage(mode)})
        during = await here.client()
        await feels(standing)
        await feels(during)
        here.publish(outages={})
        if mode == "blackhole":
            # What they said in between is lost: an answer now could only be to half of it.
            await standing.closed()
            await during.closed()
        await here.is_served()
        assert log.lines == []


@pytest.mark.parametrize("mode", MODES)
async def test_an_outage_of_another_cluster_touches_nobody(mode: Mode):
    async with scene() as here:
        client, conversation = await here.link()
        here.publish(outages={"standby": CountedOutage(mode)})
        await client.send(messages.opaque(2))
        await conversation.answer(await conversation.expect_request(), b"as ever")
        assert await client.receive() == (2, b"as ever")
        await here.is_served()


async def test_a_switch_leads_new_clients_out_of_the_outage():
    async with between_two() as (here, standby):
        here.publish(outages={"primary": CountedOutage("blackhole")})
        stuck = await here.client()
        assert await feels(stuck) == "silence"
        here.publish(target=target_of(standby, "standby"))
        client = await here.client()
        await client.send(messages.opaque(2))
        conversation = await standby.accept()
        await conversation.answer(await conversation.expect_request(), b"from the standby")
        assert await client.receive() == (2, b"from the standby")
        assert await feels(stuck) == "silence"
        await here.gateway.move_clients("orders")
        await stuck.closed()


async def test_many_clients_struck_at_once_are_each_counted_once_with_their_ids():
    async with scene() as here:
        for _ in range(10):
            client, conversation = await here.link()
            await client.send(messages.produce(2, client_id="tester"))
            await conversation.expect_request()
        outage = CountedOutage("refuse")
        here.publish(outages={"primary": outage})
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert outage.clients == ["tester"] * 10
