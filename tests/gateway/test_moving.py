"""After a switch only those who are still with the old cluster are moved, node by node."""

from functools import partial

import trio
import trio.testing
from kio.schema.errors import ErrorCode

from appliance.exchange.route import Target
from appliance.gateway.clientele import Clientele, ClientKind
from appliance.policies.positions.rebootstrap import Rebootstrap
from appliance.resources.consumer_switching import ClientSoftware
from tests.gateway import messages
from tests.gateway.scene import Client, Scene, between_two, door_on, free_base, running, target_of
from tests.gateway.scripted_broker import ScriptedBroker, scripted_broker


async def link_to(here: Scene, broker: ScriptedBroker) -> Client:
    """Connect through the bootstrap and be answered by this broker."""
    client = await here.client()
    await client.send(messages.opaque(1))
    conversation = await broker.accept()
    await conversation.answer(await conversation.expect_request(), b"hello")
    assert await client.receive() == (1, b"hello")
    return client


async def test_only_connections_to_the_old_cluster_are_closed():
    async with between_two() as (here, standby):
        old = [await link_to(here, here.broker) for _ in range(3)]
        here.publish(target=target_of(standby, "standby"))
        new = [await link_to(here, standby) for _ in range(2)]
        assert await here.gateway.move_clients("orders", pause=0) == 3
        for client in old:
            assert await client.rest() == b""
        for client in new:
            assert await client.is_quiet()
        assert await here.gateway.move_clients("orders", pause=0) == 0


async def test_until_they_are_moved_clients_keep_their_cluster():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        here.publish(target=target_of(standby, "standby"))
        await client.send(messages.opaque(2))
        await conversation.answer(await conversation.expect_request(), b"from the old one")
        assert await client.receive() == (2, b"from the old one")


async def test_the_new_clusters_doors_are_open_before_anybody_is_moved():
    base = free_base((0, 2, 12))
    async with (
        scripted_broker() as primary,
        scripted_broker(11) as standby,
        running(primary, door_on(base)) as here,
    ):
        client, _ = await here.link()
        here.publish(target=target_of(standby, "standby"))
        await here.gateway.move_clients("orders", pause=0)
        assert await client.rest() == b""
        assert ("127.0.0.1", base + 12) in here.gateway.facts().doors


async def test_a_clients_old_door_leads_to_the_new_cluster_after_the_switch():
    async with (
        scripted_broker(1) as primary,
        scripted_broker(11) as standby,
        running(primary, door_on(free_base())) as here,
    ):
        await here.link(1)
        here.publish(target=target_of(standby, "standby"))
        client = await here.client(1)  # the standby has no node 1
        await client.send(messages.metadata(2))
        conversation = await standby.accept()
        answer = messages.metadata_answer(standby.nodes)
        await conversation.answer(await conversation.expect_request(), answer)
        learned = messages.brokers_in((await client.receive())[1])
        assert learned == {11: ("127.0.0.1", here.door.brokers.port_of(11))}


async def test_a_client_that_is_named_is_told_to_start_over_when_it_asks_on_its_old_connection_and_nowhere_else():
    named = Rebootstrap("standby", (ClientSoftware(software="tester", since="1.0"),))
    async with between_two() as (here, standby):
        (told, old), (silent, its_broker) = [await here.link() for _ in range(2)]
        await told.send(messages.hello(2))
        await old.answer(await old.expect_request(), messages.offered_versions([(3, 0, 13)], 3))
        here.publish(target=target_of(standby, "standby"), interceptors=(named,))
        await told.send(messages.newer_metadata(3))
        (_, _), (number, answer) = [await told.receive() for _ in range(2)]
        assert (number, messages.error_in_newer_metadata(answer)) == (3, ErrorCode.rebootstrap_required)

        await silent.send(messages.newer_metadata(2))  # it never said what it is
        await its_broker.answer(await its_broker.expect_request(), messages.newer_metadata_answer(here.broker.nodes))
        assert messages.error_in_newer_metadata((await silent.receive())[1]) is ErrorCode.none

        newcomer = await here.client()
        await newcomer.send(messages.hello(1) + messages.newer_metadata(2))
        conversation = await standby.accept()
        await conversation.answer(await conversation.expect_request(), messages.offered_versions([(3, 0, 13)], 3))
        await conversation.answer(await conversation.expect_request(), messages.newer_metadata_answer(standby.nodes))
        (_, _), (_, answer) = [await newcomer.receive() for _ in range(2)]
        assert messages.error_in_newer_metadata(answer) is ErrorCode.none


async def test_a_held_write_of_a_moved_client_never_reaches_the_old_cluster():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        here.publish(fenced=True)
        await client.send(messages.produce(2))
        await trio.testing.wait_all_tasks_blocked(0.01)
        here.publish(target=target_of(standby, "standby"))
        await here.gateway.move_clients("orders", pause=0)
        here.publish(fenced=False)
        await client.closed()
        assert await conversation.ended()


async def test_they_are_moved_though_the_new_cluster_does_not_answer():
    async with scripted_broker() as primary, running(primary, door_on(free_base())) as here:
        client, conversation = await here.link()
        writer, its_conversation = await here.link()
        here.publish(fenced=True)
        await writer.send(messages.produce(2))
        await trio.testing.wait_all_tasks_blocked(0.01)
        here.publish(target=Target("standby", (("127.0.0.1", free_base()),)))
        assert await here.gateway.move_clients("orders", pause=0) == 2
        await client.closed()
        await writer.closed()
        assert await conversation.ended()
        assert await its_conversation.ended()


async def test_an_answer_that_is_due_before_a_held_write_is_waited_for_so_that_the_write_goes_on():
    async with between_two() as (here, standby), trio.open_nursery() as nursery:
        client, conversation = await here.link()
        here.publish(fenced=True)
        await client.send(messages.opaque(2) + messages.produce(3))
        asked = await conversation.expect_request()
        here.publish(target=target_of(standby, "standby"))
        nursery.start_soon(partial(here.gateway.move_clients, "orders", pause=0))
        await trio.sleep(0.05)
        await conversation.answer(asked, b"in time")
        assert await client.receive() == (2, b"in time")
        while not here.gateway.overdue_writes("orders"):  # noqa: ASYNC110 - the data path sets no event
            await trio.sleep(0.01)


async def test_who_is_not_answered_in_time_is_moved_all_the_same():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        here.publish(fenced=True)
        await client.send(messages.opaque(2) + messages.produce(3))
        await conversation.expect_request()
        here.publish(target=target_of(standby, "standby"))
        assert await here.gateway.move_clients("orders", pause=0) == 1
        await client.closed()


async def test_no_write_reaches_a_cluster_that_serves_no_more_whatever_else_its_connection_carries():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        here.publish(target=target_of(standby, "standby"))
        await client.send(messages.opaque(2) + messages.produce(3))
        assert (await conversation.expect_request()).correlation_id == 2
        assert await conversation.is_quiet()
        here.publish(interceptors=())
        assert await conversation.is_quiet()
        here.publish(target=target_of(here.broker))
        assert (await conversation.expect_request()).correlation_id == 3, "it serves again"


async def test_facts_say_who_is_connected_where():
    async with between_two() as (here, standby):
        await here.link()
        await here.link(1)
        here.publish(target=target_of(standby, "standby"))
        await link_to(here, standby)
        facts = here.gateway.facts()
        assert facts.connections == {
            ("orders", "primary", None): 1,
            ("orders", "primary", 1): 1,
            ("orders", "standby", None): 1,
        }
        assert facts.clusters == {"standby": (standby.cluster_id, {11: standby.address})}
        assert facts.clients == {ClientKind("orders", "", ""): Clientele(3)}, "they have not said what they are"
        assert facts.failures == {}
        assert facts.snapshot_version == 2


async def test_who_waits_for_records_alone_is_told_that_there_are_none_before_being_moved():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        for correlation_id in (2, 3):
            await client.send(messages.fetch(correlation_id))
            await conversation.expect_request()
        here.publish(target=target_of(standby, "standby"))
        await here.gateway.move_clients("orders", pause=0)
        for correlation_id in (2, 3):
            answered, body = await client.receive()
            assert (answered, messages.topics_in_fetch(body)) == (correlation_id, 0)
        assert await client.rest() == b""


async def test_who_waits_for_something_else_as_well_is_not_given_answers_out_of_turn():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        await client.send(messages.fetch(2) + messages.opaque(3))
        for _ in range(2):
            await conversation.expect_request()
        here.publish(target=target_of(standby, "standby"))
        await here.gateway.move_clients("orders", pause=0)
        assert await client.rest() == b""


async def test_records_that_are_on_their_way_when_their_client_is_moved_are_cut_off_not_mixed_with_an_answer():
    async with between_two() as (here, standby):
        client, conversation = await here.link()
        await client.send(messages.fetch(2))
        frame = messages.response(2, messages.fetch_answer(b"r" * 100_000))
        await conversation.expect_request()
        await conversation.stream.send_all(frame[:90_000])
        await client.hold(80_000)
        here.publish(target=target_of(standby, "standby"))
        await here.gateway.move_clients("orders", pause=0)
        assert frame.startswith(await client.rest())
