"""The fence: writes wait at the gateway, in order and unseen by the broker; everything else goes on."""

import trio

from tests.gateway import messages
from tests.gateway.scene import scene


async def test_writes_are_held_while_fenced_and_released_in_order():
    async with scene() as here:
        client, conversation = await here.link()
        here.publish(fenced=True)
        questions = [messages.produce(2, b"first"), messages.produce(3, b"second"), messages.opaque(4)]
        await client.send(b"".join(questions))
        assert await conversation.is_quiet()
        here.publish(fenced=False)
        seen = [await conversation.expect_request() for _ in questions]
        assert [each.frame for each in seen] == questions
        for each in seen:
            await conversation.answer(each, messages.produce_answer())
        assert [(await client.receive())[0] for _ in questions] == [2, 3, 4]


async def test_what_stands_before_a_held_write_has_gone_to_the_broker():
    async with scene() as here:
        client, conversation = await here.link()
        here.publish(fenced=True)
        await client.send(messages.opaque(2) + messages.produce(3))
        assert (await conversation.expect_request()).correlation_id == 2
        assert await conversation.is_quiet()


async def test_other_requests_and_other_connections_go_on_while_writes_are_held():
    async with scene() as here:
        writer, its_conversation = await here.link()
        reader, conversation = await here.link()
        here.publish(fenced=True)
        await writer.send(messages.produce(2))
        for number, question in enumerate((messages.metadata(2), messages.opaque(3)), start=2):
            await reader.send(question)
            asked = await conversation.expect_request()
            body = messages.metadata_answer(here.broker.nodes) if number == 2 else b"groups"
            await conversation.answer(asked, body)
            assert (await reader.receive())[0] == number
        assert await its_conversation.is_quiet()


async def test_writes_on_a_connection_made_behind_the_fence_are_held_too():
    async with scene() as here:
        here.publish(fenced=True)
        client, conversation = await here.link()
        await client.send(messages.produce(2))
        assert await conversation.is_quiet()
        here.publish(fenced=False)
        assert (await conversation.expect_request()).correlation_id == 2


async def test_a_change_that_keeps_the_fence_releases_nothing():
    async with scene() as here:
        client, conversation = await here.link()
        here.publish(fenced=True)
        await client.send(messages.produce(2))
        here.publish(interceptors=())
        assert await conversation.is_quiet()


async def test_writes_in_flight_are_those_that_went_up_and_have_no_answer():
    async with scene() as here:
        client, conversation = await here.link()
        other, other_conversation = await here.link()
        count = here.gateway.writes_in_flight
        await client.send(messages.produce(2) + messages.opaque(3) + messages.produce(4) + messages.produce(5, acks=0))
        await other.send(messages.produce(2))
        asked = [await conversation.expect_request() for _ in range(4)]
        its = await other_conversation.expect_request()
        assert count("orders") == 3
        assert count("payments") == 0
        here.publish(fenced=True)
        await client.send(messages.produce(6))
        assert await conversation.is_quiet()
        assert count("orders") == 3, "a held write is not in flight"
        for remaining, each in zip((2, 2, 1), asked[:3], strict=True):
            await conversation.answer(each, messages.produce_answer())
            await client.receive()
            assert count("orders") == remaining
        await other_conversation.answer(its, messages.produce_answer())
        await other.receive()
        assert count("orders") == 0


async def test_a_client_that_leaves_takes_its_writes_in_flight_along():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.produce(2))
        await conversation.expect_request()
        assert here.gateway.writes_in_flight("orders") == 1
        await conversation.stream.aclose()
        assert await client.rest() == b""
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert here.gateway.writes_in_flight("orders") == 0


async def test_a_virtual_cluster_that_is_removed_ends_its_clients_fenced_or_not():
    async with scene() as here:
        idle, _ = await here.link()
        held, _ = await here.link()
        here.publish(fenced=True)
        await held.send(messages.produce(2))
        await trio.testing.wait_all_tasks_blocked(0.01)
        here.remove_virtual_cluster()
        await idle.closed()
        await held.closed()


async def test_newcomers_wait_where_the_route_says_so_and_those_that_are_there_are_served():
    async with scene() as here:
        client, conversation = await here.link()
        here.publish(newcomers_wait=True)
        newcomer = await here.client()
        await newcomer.send(messages.opaque(7))
        await client.send(messages.opaque(2))
        await conversation.answer(await conversation.expect_request(), b"served")
        assert await client.receive() == (2, b"served")
        with trio.move_on_after(0.2) as waiting:
            await here.broker.accept()
        assert waiting.cancelled_caught, "the newcomer was served"
        here.publish(newcomers_wait=False)
        its_conversation = await here.broker.accept()
        await its_conversation.answer(await its_conversation.expect_request(), b"now")
        assert await newcomer.receive() == (7, b"now")
