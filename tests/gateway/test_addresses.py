"""Clients learn only the gateway's addresses: any node id, from the first answer on, before and after a restart."""

import itertools

import pytest
import trio

from appliance.exchange.route import Target
from appliance.gateway.errors import PortTaken
from appliance.harness import BlockingCluster
from appliance.resources.listener import BrokerPorts
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import Client, Scene, door_on, free_base, running, scene, target_of
from tests.gateway.scripted_broker import Conversation, scripted_broker

NODE_IDS = (0, 1, 111, 5000)


_TOPICS = itertools.count()


async def learn(here: Scene, client: Client, conversation: Conversation, number: int = 2) -> dict[int, tuple[str, int]]:
    """Ask for Metadata, for what nobody has just asked, and return the nodes as the client learns them."""
    await client.send(messages.metadata(number, topics=[f"topic-{next(_TOPICS)}"]))
    await conversation.answer(await conversation.expect_request(), messages.metadata_answer(here.broker.nodes))
    return messages.brokers_in((await client.receive())[1])


async def test_any_node_id_gets_a_port_that_follows_from_the_id_alone():
    base = free_base((0, 1, 2, 112, 3000))
    brokers = BrokerPorts(first=base + 1, pinned={5000: base + 3000})
    async with scripted_broker() as broker, running(broker, door_on(base, brokers)) as here:
        broker.nodes = dict.fromkeys(NODE_IDS, broker.address)
        client, conversation = await here.link()
        learned = await learn(here, client, conversation)
        assert learned == {
            0: ("127.0.0.1", base + 1),
            1: ("127.0.0.1", base + 2),
            111: ("127.0.0.1", base + 112),
            5000: ("127.0.0.1", base + 3000),
        }
        for node_id in NODE_IDS:
            await here.link(node_id)


@pytest.mark.parametrize("first", [NODE_IDS, tuple(reversed(NODE_IDS))])
async def test_the_port_does_not_depend_on_the_order_in_which_nodes_are_seen(first: tuple[int, ...]):
    brokers = BrokerPorts(first=20000, count=6000)
    assert [brokers.port_of(node_id) for node_id in sorted(first)] == [20000, 20001, 20111, 25000]


async def test_a_new_node_has_its_door_before_any_client_hears_of_it():
    async with scene() as here:
        client, conversation = await here.link()
        other, other_conversation = await here.link()
        here.broker.nodes[3] = here.broker.address
        address = (await learn(here, client, conversation))[3]
        early = await trio.open_tcp_stream(*address)  # refused if the door came later
        await early.aclose()
        assert (await learn(here, other, other_conversation))[3] == address
        await here.link(3)


@pytest.mark.parametrize("answer", ["produce", "fetch"])
async def test_a_node_that_is_first_named_in_a_leader_change_has_its_door_too(answer: str):
    async with scene() as here:
        client, conversation = await here.link()
        moved = {2: here.broker.address}
        port = here.door.brokers.port_of(2)
        if answer == "produce":
            await client.send(messages.produce(2))
            await conversation.answer(await conversation.expect_request(), messages.produce_answer(moved))
            learned = messages.endpoints_in_produce((await client.receive())[1])
        else:
            await client.send(messages.fetch(2))
            await conversation.answer(await conversation.expect_request(), messages.fetch_answer(b"", moved))
            learned = messages.endpoints_in_fetch((await client.receive())[1])
        assert learned == {2: ("127.0.0.1", port)}
        await here.link(2)


async def test_a_node_whose_port_another_node_has_is_told_in_one_line(log: Log):
    base = free_base((0, 1))
    async with scripted_broker(0) as broker, running(broker, door_on(base)) as here:
        broker.nodes[1000] = broker.address  # 1000 % 1000 is 0
        for _ in range(3):
            client, conversation = await here.link()
            await learn(here, client, conversation)
        line = log.only_line
        assert f"port {base + 1} is asked for by node 1000" in line
        assert "serves node 0 of listener plain" in line
        assert "broker_ports.pinned" in line
        await here.link(0)


async def test_a_node_whose_port_a_stranger_has_is_told_in_one_line_and_opened_later(log: Log):
    base = free_base((0, 1, 2))
    (stranger,) = await trio.open_tcp_listeners(base + 2, host="127.0.0.1")
    async with stranger, scripted_broker(0) as broker:
        broker.nodes[1] = broker.address
        async with running(broker, door_on(base)) as here:
            for _ in range(3):
                await here.link()
            assert log.only_line == f"listener plain: cannot open 127.0.0.1:{base + 2}: already in use"
            await stranger.aclose()
            await here.link()
            await here.link(1)


async def test_a_taken_bootstrap_port_stops_the_start_and_is_named():
    base = free_base((0,))
    async with scripted_broker() as broker:
        (stranger,) = await trio.open_tcp_listeners(base, host="127.0.0.1")
        async with stranger:
            with pytest.RaisesGroup(PortTaken, flatten_subgroups=True) as caught:
                async with running(broker, door_on(base)):
                    raise AssertionError("it must not start")
        (taken,) = _leaves(caught.value)
        assert str(taken) == f"listener plain: cannot open 127.0.0.1:{base}: already in use"


async def test_a_restart_on_the_same_ports_strands_nobody():
    base = free_base((0, 1, 8))
    async with scripted_broker(7) as broker:
        async with running(broker, door_on(base)) as here:
            await here.link()
            await here.link(7)
        async with running(broker, door_on(base)) as here:
            client, conversation = await here.link(7)
            assert await learn(here, client, conversation) == {7: ("127.0.0.1", base + 8)}


async def test_a_door_leads_to_its_own_node():
    async with scripted_broker(1) as first, scripted_broker(2) as second:
        first.nodes[2] = second.address
        async with running(first, door_on(free_base())) as here:
            await here.link(1)
            client = await here.client(2)
            await client.send(messages.opaque(9))
            conversation = await second.accept()
            await conversation.answer(await conversation.expect_request(), b"from node 2")
            assert await client.receive() == (9, b"from node 2")


async def test_a_node_that_moved_is_found_where_it_is_now():
    async with scripted_broker(1) as first, scripted_broker(2) as second, scripted_broker(2) as later:
        first.nodes[2] = second.address
        async with running(first, door_on(free_base())) as here:
            client, conversation = await here.link(1)
            first.nodes[2] = later.address
            await learn(here, client, conversation)
            client = await here.client(2)
            await client.send(messages.opaque(9))
            await later.accept()


async def test_a_cluster_that_cannot_be_reached_closes_the_client_and_is_named(log: Log):
    nowhere = free_base((0,))
    target = Target("primary", (("127.0.0.1", nowhere),))
    async with scripted_broker() as broker, running(broker, door_on(free_base()), target=target) as here:
        client = await here.client()
        assert await client.rest() == b""
        for line in log.lines:
            assert "cluster primary" in line
            assert f"127.0.0.1:{nowhere}" in line
            assert "onnection refused" in line
        (told,) = [line for line in log.lines if line.startswith("client")]
        assert "listener plain" in told
        here.publish(target=target_of(broker))
        await here.is_served()


async def test_a_node_that_cannot_be_reached_closes_the_client_and_is_named(log: Log):
    nowhere = free_base((0,))
    async with scripted_broker() as broker:
        broker.nodes[2] = ("127.0.0.1", nowhere)
        async with running(broker, door_on(free_base())) as here:
            await here.link()
            client = await here.client(2)
            await client.send(messages.opaque(1))
            await client.closed()
            assert f"cluster primary, node 2: 127.0.0.1:{nowhere}" in log.only_line
            await here.is_served()


async def test_the_embedded_broker_is_reached_through_its_own_door(embedded_cluster: BlockingCluster):
    host, port = embedded_cluster.bootstrap[0].split(":")
    base = free_base((0, 112))
    target = Target("embedded", ((host, int(port)),))
    async with scripted_broker() as unused, running(unused, door_on(base), target=target) as here:
        client = await here.client()
        await client.send(messages.metadata(1))
        _, body = await client.receive()
        assert messages.brokers_in(body) == {111: ("127.0.0.1", base + 112)}
        client = await here.client(111)
        await client.send(messages.metadata(2) + messages.metadata(3))
        assert [(await client.receive())[0] for _ in range(2)] == [2, 3]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
