"""A leader is named by its node's own id, and whoever goes where that id is said to be finds that very node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest

from appliance.wire.apis import KEYS, known_versions
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.gateway import messages
from tests.gateway.scene import door_on, free_base, running
from tests.gateway.scripted_broker import scripted_broker
from tests.wire.messages import generated

LEADER = 2


def structs(value: Any) -> Iterator[Any]:
    """Yield all structs in a message."""
    if is_dataclass(value):
        yield value
        for each in fields(value):
            yield from structs(getattr(value, each.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from structs(each)


def with_leader(value: Any, host: str, port: int) -> Any:
    """Return the message with every leader, and every endpoint, being the leader's."""
    if isinstance(value, tuple):
        return tuple(with_leader(each, host, port) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    known = {"leader_id": LEADER, "node_id": LEADER, "host": host, "port": port}
    return replace(
        value,
        **{
            each.name: known[each.name] if each.name in known else with_leader(getattr(value, each.name), host, port)
            for each in fields(value)
        },
    )


@pytest.mark.parametrize("api", ["Produce", "Fetch", "ShareFetch", "ShareAcknowledge", "Metadata"])
async def test_a_leader_that_an_answer_names_is_found_at_the_endpoint_of_its_id(api: str):
    """A client that trusts the id (franz-go does) and one that trusts the endpoint must arrive at the same node."""
    key = KEYS[api]
    known = known_versions(key)
    assert known is not None
    version = known[1]
    question = generated(request_type(key, version), Random(1), full=True)
    if api == "Produce":
        question = replace(question, acks=-1)
    async with (
        scripted_broker(1) as first,
        scripted_broker(LEADER) as leader,
        running(first, door_on(free_base())) as here,
    ):
        client, conversation = await here.link()
        await client.send(messages.request(key, version, 2, encode(question)))
        said = with_leader(generated(response_type(key, version), Random(2), full=True), *leader.address)
        await conversation.answer(await conversation.expect_request(), encode(said))
        _, body = await client.receive()
        heard = list(structs(decode(response_type(key, version), body)))
        named = {each.leader_id for each in heard if hasattr(each, "leader_id")}
        places = {each.node_id: (each.host, each.port) for each in heard if hasattr(each, "host")}
        assert named == {LEADER}, "ids are the broker's own"
        assert places == {LEADER: ("127.0.0.1", here.door.brokers.port_of(LEADER))}
        arrived = await here.client(LEADER)
        await arrived.send(messages.opaque(3))
        at_leader = await leader.accept()
        await at_leader.answer(await at_leader.expect_request(), b"it is me")
        assert await arrived.receive() == (3, b"it is me")
