"""Limits of a listener: whoever is over one is closed with one clear line, and everybody else is served."""

import struct

import pytest
import trio
import trio.testing

from appliance.gateway import server
from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import scene


def limits(**given: object) -> LimitsSpec:
    return LimitsSpec.model_validate(given)


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.01)


async def test_one_connection_too_many_is_closed_and_the_others_stay(log: Log):
    async with scene(limits=limits(connections=1)) as here:
        client, conversation = await here.link()
        late = await here.client()
        await late.closed()
        assert "more than 1 connections to this listener (limits.connections)" in log.only_line
        await client.send(messages.opaque(2))
        await conversation.answer(await conversation.expect_request(), b"served")
        assert await client.receive() == (2, b"served")


async def test_whoever_leaves_makes_room():
    async with scene(limits=limits(connections_per_address=1)) as here:
        client, conversation = await here.link()
        await client.stream.aclose()
        assert await conversation.ended()
        await here.is_served()


@pytest.mark.usefixtures("looks_often")
async def test_a_connection_that_carries_nothing_is_closed_when_that_is_declared():
    async with scene(limits=limits(idle="30ms")) as here:
        client, conversation = await here.link()
        await client.closed()
        assert await conversation.ended()


@pytest.mark.usefixtures("looks_often")
async def test_a_message_that_does_not_come_to_its_end_is_not_waited_for(log: Log):
    async with scene(limits=limits(unfinished="30ms")) as here:
        client, _ = await here.link()
        # Wanted whole, as the gateway cuts the answer: so it is held, and announced larger than any shared buffer.
        await client.send(struct.pack(">ihhi", 10_000_000, messages.API_VERSIONS, 3, 2) + bytes(2000))
        await client.closed()
        assert "a message was not complete after 0.03 s (limits.unfinished)" in log.only_line
        await here.is_served()


async def test_two_large_messages_share_what_may_be_held(log: Log):
    async with scene(limits=limits(buffered="1000000B")) as here:
        first, _ = await here.link()
        second, _ = await here.link()
        announced = struct.pack(">ihhi", 700_000, messages.API_VERSIONS, 3, 2) + bytes(2000)
        await first.send(announced)
        await trio.testing.wait_all_tasks_blocked(0.02)
        await second.send(announced)
        await first.closed()
        assert "others needed the memory that its unfinished message held" in log.only_line
        await here.is_served()


async def test_connections_that_come_too_fast_wait_their_turn_and_all_are_served():
    async with scene(limits=limits(connection_rate="50/s")) as here:
        for _ in range(60):
            await here.is_served()
