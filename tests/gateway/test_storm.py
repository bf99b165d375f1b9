"""Clients that all come back at once ask the cluster once."""

from __future__ import annotations

import pytest
import trio

from appliance.exchange.interceptor import Interceptor
from appliance.policies.positions.leader_epochs import LeaderEpochs
from tests.gateway import messages
from tests.gateway.scene import scene

CLIENTS = 20


@pytest.mark.parametrize("interceptors", [(), (LeaderEpochs(),)], ids=["as it is", "after a switch"])
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
