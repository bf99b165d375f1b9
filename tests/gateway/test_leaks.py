"""However a connection ends, both of its sockets are closed; however the gateway ends, nothing of it is left."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.exchange.route import Target
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import Client, CountedOutage, Scene, door_on, free_base, running, scene, target_of
from tests.gateway.scripted_broker import Conversation, scripted_broker

ROUNDS = 5
SOL_SOCKET, SO_LINGER = 1, 13


def descriptors() -> int:
    """Return how many files and sockets this process, and so the gateway in it, has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def settled(at_most: int) -> None:
    """Wait until no more than so many descriptors are open; the scene's patience ends the wait."""
    while descriptors() > at_most:
        await trio.testing.wait_all_tasks_blocked(0.01)


def reset(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


# -- ways in which a connection ends


async def the_client_leaves(_: Scene, client: Client, __: Conversation) -> None:
    await client.stream.aclose()


async def the_client_leaves_with_answers_due(_: Scene, client: Client, conversation: Conversation) -> None:
    await client.send(messages.opaque(2) + messages.produce(3))
    await conversation.expect_request()
    await client.stream.aclose()
    await conversation.answer(await conversation.expect_request(), b"to nobody")


async def the_client_leaves_in_the_middle_of_a_request(_: Scene, client: Client, __: Conversation) -> None:
    await client.send(messages.opaque(2, bytes(100))[:50])
    await client.stream.aclose()


async def the_client_resets(_: Scene, client: Client, __: Conversation) -> None:
    reset(client.stream)


async def the_client_stops_asking_and_the_broker_leaves(_: Scene, client: Client, conversation: Conversation) -> None:
    await client.send(messages.opaque(2))
    await client.stream.send_eof()
    await conversation.expect_request()
    await conversation.stream.aclose()


async def the_broker_leaves(_: Scene, __: Client, conversation: Conversation) -> None:
    await conversation.stream.aclose()


async def the_broker_resets(_: Scene, client: Client, conversation: Conversation) -> None:
    await client.send(messages.opaque(2))
    await conversation.expect_request()
    reset(conversation.stream)


async def the_client_sends_nonsense(_: Scene, client: Client, __: Conversation) -> None:
    await client.send(b"\xde\xad\xbe\xef" * 8)


async def the_broker_answers_nonsense(_: Scene, __: Client, conversation: Conversation) -> None:
    await conversation.stream.send_all(messages.response(4711, b"out of the blue"))


async def a_write_is_held_when_the_client_is_moved(here: Scene, client: Client, __: Conversation) -> None:
    here.publish(fenced=True)
    await client.send(messages.produce(2))
    await trio.testing.wait_all_tasks_blocked(0.01)
    here.publish(target=Target("standby", here.feed.current.routes["orders"].target.bootstrap))
    await here.gateway.move_clients("orders", pause=0)
    here.publish(fenced=False)


async def an_outage_resets_it(here: Scene, _: Client, __: Conversation) -> None:
    cluster = here.feed.current.routes["orders"].target.name
    here.publish(outages={cluster: CountedOutage("reset")})
    await trio.testing.wait_all_tasks_blocked(0.01)
    here.publish(outages={})


WAYS = [
    the_client_leaves,
    the_client_leaves_with_answers_due,
    the_client_leaves_in_the_middle_of_a_request,
    the_client_resets,
    the_client_stops_asking_and_the_broker_leaves,
    the_broker_leaves,
    the_broker_resets,
    the_client_sends_nonsense,
    the_broker_answers_nonsense,
    a_write_is_held_when_the_client_is_moved,
    an_outage_resets_it,
]
Way = Callable[[Scene, Client, Conversation], Awaitable[None]]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_both_sockets_of_a_connection_are_closed_when(way: Way):
    async with scene() as here:
        await here.is_served()
        before = descriptors()
        for _ in range(ROUNDS):
            client, conversation = await here.link()
            await way(here, client, conversation)
            # The test's own two are closed only now: whatever else is open is the gateway's.
            client.stream.socket.close()
            conversation.stream.socket.close()
        await settled(before)
        await here.is_served()


async def test_a_client_that_leaves_before_its_upstream_connection_is_there_leaves_nothing():
    async with scene() as here:
        await here.is_served()
        before = descriptors()
        for _ in range(ROUNDS):
            client = await here.client()
            await client.stream.aclose()
        await settled(before)


async def test_a_client_of_a_cluster_that_cannot_be_reached_leaves_nothing(log: Log):
    nowhere = free_base((0,))
    target = Target("primary", (("127.0.0.1", nowhere),))
    async with scripted_broker() as broker, running(broker, door_on(free_base()), target=target) as here:
        before = descriptors()
        for _ in range(ROUNDS):
            client = await here.client()
            await client.closed()
            client.stream.socket.close()
        await settled(before)
        assert any("cluster primary" in line for line in log.lines)
        here.publish(target=target_of(broker))


async def test_a_gateway_that_is_stopped_closes_everything_that_it_had_open():
    async with scripted_broker() as broker:
        before = descriptors()
        async with running(broker, door_on(free_base())) as here:
            links = [await here.link() for _ in range(ROUNDS)]
            client, conversation = links[0]
            await client.send(messages.opaque(2, bytes(100))[:50])
            await links[1][0].send(messages.opaque(2))
            assert descriptors() >= before + 4 * ROUNDS
        for client, conversation in links:
            assert (await conversation.ended()) or client is links[0][0] or client is links[1][0]
            conversation.stream.socket.close()
        await settled(before)
