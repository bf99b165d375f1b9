"""What the gateway itself must know of a cluster it asks on connections of its own, in versions that the broker has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields

import pytest
import trio

from appliance.exchange.route import Target
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.gateway import messages
from tests.gateway.messages import Request
from tests.gateway.scene import door_on, free_base, running, scene
from tests.gateway.scripted_broker import Conversation, scripted_broker


async def test_no_question_of_the_gateways_own_is_ever_asked_on_a_clients_connection():
    async with scene() as here:
        client, conversation = await here.link()
        here.broker.nodes[3] = here.broker.address  # news, which the gateway might want to know more about
        said = [messages.metadata(2), messages.opaque(3), messages.produce(4)]
        await client.send(b"".join(said))
        seen = [await conversation.expect_request() for _ in said]
        assert [each.frame for each in seen] == said
        await conversation.answer(seen[0], messages.metadata_answer(here.broker.nodes))
        assert (await client.receive())[0] == 2
        await here.link(3)
        assert await conversation.is_quiet()


class OtherBroker:
    """A broker that has Metadata only up to one version, and notes in which it is asked by the gateway."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.asked: list[Request] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        conversation = Conversation(stream)
        while (request := await conversation.next_request()) is not None:
            self.asked.append(request)
            own = request.api_key == Api.API_VERSIONS
            flexible = not own and request.api_version >= 9
            body = messages.offered_versions([(3, 0, self.newest), (18, 0, 0)]) if own else self._nodes(request)
            await stream.send_all(messages.response(request.correlation_id, body, flexible=flexible))

    def _nodes(self, request: Request) -> bytes:
        answer = decode(response_type(Api.METADATA, 9), messages.metadata_answer({7: ("127.0.0.1", 9092)}))
        kind = response_type(Api.METADATA, request.api_version)
        (broker,) = answer.brokers
        node_kind = kind.__dataclass_fields__["brokers"].type.__args__[0]
        given = {each.name: getattr(broker, each.name) for each in fields(node_kind)}
        values = {each.name: getattr(answer, each.name) for each in fields(kind) if hasattr(answer, each.name)}
        return encode(kind(**{**values, "brokers": (node_kind(**given),)}))


@asynccontextmanager
async def other_broker(newest: int) -> AsyncIterator[tuple[OtherBroker, Target]]:
    broker = OtherBroker(newest)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, broker.serve, [listener])
        yield broker, Target("old", (("127.0.0.1", listener.socket.getsockname()[1]),))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("newest", [2, 5, 9, 13, 99])
async def test_it_asks_for_nodes_in_a_version_that_both_know_whatever_clients_use(newest: int):
    async with (
        scripted_broker() as unused,
        other_broker(newest) as (broker, target),
        running(unused, door_on(free_base()), target=target) as here,
    ):
        await _until(lambda: here.gateway.facts().clusters["old"][1] == {7: ("127.0.0.1", 9092)})
        asked = [each for each in broker.asked if each.api_key == Api.METADATA]
        assert asked
        assert all(each.api_version <= newest for each in asked)
        assert all(request_type(Api.METADATA, each.api_version) for each in asked)


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await trio.testing.wait_all_tasks_blocked(0.01)
