"""Clients that all come back at once ask the cluster once, and cost it no more connections than they need."""

from __future__ import annotations

import pytest
import trio

from appliance.exchange.interceptor import Interceptor
from appliance.policies.positions.leader_epochs import LeaderEpochs
from tests.gateway import messages
from tests.gateway.scene import door_on, free_base, running, scene
from tests.gateway.scripted_broker import scripted_broker

VERSIONS = messages.offered_versions([(messages.METADATA, 0, 9), (messages.LIST_GROUPS, 0, 5)], 3)
CLIENTS = 20


@pytest.mark.parametrize("interceptors", [(), (LeaderEpochs("primary", 1),)], ids=["as it is", "after a switch"])
async def test_the_same_question_of_many_goes_to_the_cluster_once(interceptors: tuple[Interceptor, ...]):
    async with scene() as here:
        here.publish(interceptors=interceptors)
        links = [await here.link() for _ in range(CLIENTS)]
        asked = 0

        async def answer_once(number: int) -> None:
            nonlocal asked
            conversation = links[number][1]
            request = await conversation.expect_request()
            asked += 1
            await conversation.answer(request, messages.metadata_answer(here.broker.nodes))

        async with trio.open_nursery() as nursery:
            for number, (client, _) in enumerate(links):
                nursery.start_soon(answer_once, number)
                await client.send(messages.metadata(7))
            expected = {1: ("127.0.0.1", here.door.brokers.port_of(1))}
            for client, _ in links:
                correlation_id, body = await client.receive()
                assert correlation_id == 7
                assert messages.brokers_in(body) == expected
            nursery.cancel_scope.cancel()
        assert asked == 1


async def test_whoever_logs_in_at_the_broker_asks_for_itself():
    async with scene() as here:
        (one, first), (two, second) = await here.link(), await here.link()
        for client, conversation in ((one, first), (two, second)):
            await client.send(messages.request(17, 1, 5, b"\0\5PLAIN"))
            await conversation.answer(await conversation.expect_request(), b"")
            await client.receive()
            await client.send(messages.metadata(6))
            await conversation.answer(await conversation.expect_request(), messages.metadata_answer(here.broker.nodes))
            assert (await client.receive())[0] == 6


async def test_whoever_says_nothing_costs_the_cluster_no_connection():
    async with scene() as here:
        await here.is_served()
        before = here.broker.connections
        silent = await here.client()
        assert await silent.is_quiet()
        assert here.broker.connections == before


async def test_whoever_asks_what_others_were_told_costs_the_cluster_no_connection():
    async with scene() as here:
        first, conversation = await here.link()
        await first.send(messages.hello(2) + messages.metadata(3))
        await conversation.answer(await conversation.expect_request(), VERSIONS)
        await conversation.answer(await conversation.expect_request(), messages.metadata_answer(here.broker.nodes))
        answers = [await first.receive_frame() for _ in range(2)]
        before = here.broker.connections
        client = await here.client()
        await client.send(messages.hello(2) + messages.metadata(3))
        assert [await client.receive_frame() for _ in range(2)] == answers
        assert here.broker.connections == before


async def test_the_broker_learns_what_a_client_is_before_the_first_request_that_it_gets():
    async with scene() as here:
        first, conversation = await here.link()
        await first.send(messages.hello(2))
        await conversation.answer(await conversation.expect_request(), VERSIONS)
        await first.receive_frame()
        second = await here.client()
        await second.send(messages.hello(7))
        assert await second.receive_frame()
        await second.send(messages.opaque(8))
        behind = await here.broker.accept()
        introduced, asked = await behind.expect_request(), await behind.expect_request()
        assert introduced.frame == messages.hello(7)
        assert asked.frame == messages.opaque(8)
        await behind.answer(introduced, VERSIONS)
        await behind.answer(asked, b"groups")
        assert await second.receive() == (8, b"groups")


async def test_what_one_node_says_of_itself_is_not_said_for_another():
    async with scripted_broker() as one, scripted_broker(2) as two:
        one.nodes[2] = two.address
        async with running(one, door_on(free_base())) as here:
            first, conversation = await here.link(1)
            await first.send(messages.hello(2))
            await conversation.answer(await conversation.expect_request(), VERSIONS)
            await first.receive_frame()
            second = await here.client(2)
            await second.send(messages.hello(2))
            assert (await (await two.accept()).expect_request()).frame == messages.hello(2)


async def test_whoever_asked_may_go_and_somebody_else_asks():
    async with scene() as here:
        (first, conversation), (second, other) = await here.link(), await here.link()
        await first.send(messages.metadata(2))
        await conversation.expect_request()
        await second.send(messages.metadata(3))
        await first.stream.aclose()
        await other.answer(await other.expect_request(), messages.metadata_answer(here.broker.nodes))
        assert (await second.receive())[0] == 3


async def test_a_client_that_asks_the_same_twice_at_once_is_answered_twice():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.metadata(2) + messages.metadata(3) + messages.metadata(4))
        await conversation.answer(await conversation.expect_request(), messages.metadata_answer(here.broker.nodes))
        assert [(await client.receive())[0] for _ in range(3)] == [2, 3, 4]
        assert await conversation.is_quiet()
