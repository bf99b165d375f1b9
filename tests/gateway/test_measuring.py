"""What happens on the wire shows up in the measures of the gateway, under the right labels."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from trio.testing import wait_all_tasks_blocked

from appliance.exchange.measures import Labels, Measures, Series
from appliance.exchange.route import Target
from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.scene import Scene, scene


def of(series: Series) -> Mapping[Labels, int]:
    return dict(series)


async def until_nobody_is_there(here: Scene) -> Measures:
    """Wait until the gateway has let go of all clients."""
    while (measures := here.gateway.measures()).open:
        await wait_all_tasks_blocked(0.01)
    return measures


async def test_a_request_and_its_answer_have_their_virtual_cluster_and_api():
    async with scene() as here:
        client, conversation = await here.link()
        written = messages.produce(2)
        answer = messages.produce_answer()
        await client.send(written)
        await conversation.answer(await conversation.expect_request(), answer)
        await client.receive()
        measures = here.gateway.measures()
        label = ("orders", "Produce")
        assert of(measures.requests) == {("orders", "ListGroups"): 1, label: 1}
        assert of(measures.responses) == {("orders", "ListGroups"): 1, label: 1}
        assert of(measures.bytes_in)[label] == len(written)
        assert of(measures.bytes_out)[label] == len(messages.response(2, answer))
        times = dict(measures.gateway_times)[label], dict(measures.upstream_times)[label]
        assert [sum(each.buckets) for each in times] == [1, 1]
        assert all(each.seconds > 0 for each in times)
        assert of(measures.in_flight) == {("orders",): 0}
        assert of(measures.open) == of(measures.accepted) == {("plain", "orders"): 1}
        assert measures.refused == ()


async def test_what_has_no_answer_yet_is_in_flight():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2) + messages.opaque(3))
        asked = [await conversation.expect_request() for _ in range(2)]
        assert of(here.gateway.measures().in_flight) == {("orders",): 2}
        await conversation.answer(asked[0], b"")
        await client.receive()
        assert of(here.gateway.measures().in_flight) == {("orders",): 1}


REFUSED = [
    ({"frame": "1000B"}, b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n", "malformed"),
    ({"in_flight": 1}, messages.opaque(2) + messages.opaque(3), "limit"),
]


@pytest.mark.parametrize(("limits", "bytes_sent", "reason"), REFUSED)
async def test_a_client_that_is_closed_is_counted_with_the_reason(
    limits: dict[str, object], bytes_sent: bytes, reason: str
):
    async with scene(limits=LimitsSpec.model_validate(limits)) as here:
        client = await here.client()
        await client.send(bytes_sent)
        await client.closed()
        measures = await until_nobody_is_there(here)
        assert of(measures.refused) == {("plain", "orders", reason): 1}


async def test_a_client_too_many_is_refused_and_not_accepted():
    async with scene(limits=LimitsSpec(connections=1)) as here:
        await here.link()
        await (await here.client()).closed()
        measures = here.gateway.measures()
        assert of(measures.accepted) == {("plain", "orders"): 1}
        assert of(measures.refused) == {("plain", "orders", "limit"): 1}


async def test_a_cluster_that_is_away_is_nobodys_fault_at_the_door():
    async with scene() as here:
        here.publish(target=Target("away", (("127.0.0.1", 1),)))
        await (await here.client()).closed()
        measures = await until_nobody_is_there(here)
        assert of(measures.refused) == {("plain", "orders", "upstream"): 1}


async def test_a_message_that_is_needed_whole_is_held_and_let_go():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.metadata(2))
        asked = await conversation.expect_request()
        body = messages.metadata_answer(here.broker.nodes) + bytes(700_000)
        await conversation.stream.send_all(messages.response(2, body)[:-1000])
        while not of(here.gateway.measures().buffered)[("plain",)]:
            await wait_all_tasks_blocked(0.01)
        assert of(here.gateway.measures().buffered)[("plain",)] >= 700_000
        await conversation.stream.send_all(messages.response(asked.correlation_id, body)[-1000:])
        await client.receive()
        assert of(here.gateway.measures().buffered) == {("plain",): 0}
