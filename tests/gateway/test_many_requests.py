"""Requests under way on one connection: very many are fine, and beyond the limit the client is told and closed."""

import pytest
import trio
import trio.testing

from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import scene

MANY = 3000


async def test_thousands_of_requests_may_wait_for_their_answers_and_get_them_in_order():
    async with scene() as here:
        client, conversation = await here.link()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, b"".join(messages.opaque(number) for number in range(MANY)))
            asked = [await conversation.expect_request() for _ in range(MANY)]
        assert [each.correlation_id for each in asked] == list(range(MANY))
        answers = b"".join(messages.response(each.correlation_id, b"an answer") for each in asked)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conversation.stream.send_all, answers)
            heard = [await client.receive() for _ in range(MANY)]
        assert heard == [(number, b"an answer") for number in range(MANY)]


@pytest.mark.parametrize("limit", [1, 50])
async def test_one_request_too_many_closes_its_client_with_a_reason_and_nobody_else(limit: int, log: Log):
    async with scene(limits=LimitsSpec(in_flight=limit)) as here:
        other, _ = await here.link()
        client, conversation = await here.link()
        await client.send(b"".join(messages.opaque(number) for number in range(limit)))
        asked = [await conversation.expect_request() for _ in range(limit)]
        await conversation.answer(asked[0], b"makes room for one more")
        assert await client.receive() == (0, b"makes room for one more")
        await client.send(messages.opaque(limit) + messages.opaque(limit + 1))
        await client.closed()
        assert f"more than {limit} requests without a response" in log.only_line
        assert await other.is_quiet()
        await here.is_served()


async def test_writes_without_acks_wait_for_nothing_and_do_not_count():
    async with scene(limits=LimitsSpec(in_flight=1)) as here:
        client, conversation = await here.link()
        await client.send(b"".join(messages.produce(number, acks=0) for number in range(50)) + messages.opaque(50))
        asked = [await conversation.expect_request() for _ in range(51)]
        await conversation.answer(asked[-1], b"the only answer")
        assert await client.receive() == (50, b"the only answer")
