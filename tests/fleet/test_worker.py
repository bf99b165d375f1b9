"""A worker in this process: what it does by its link alone."""

from __future__ import annotations

import trio

from appliance.fleet.link import Link, link_pair
from appliance.fleet.messages import Adopt, Begin, Failed, Hello, Report, Word, encoded, word_from
from appliance.fleet.worker import serve
from tests.fleet.scene import edition_of, fault_in_force
from tests.gateway import messages
from tests.gateway.scene import PATIENCE, Client, free_base
from tests.gateway.scripted_broker import ScriptedBroker, scripted_broker


async def next_word(link: Link) -> Word:
    message = await link.receive()
    assert message is not None
    return word_from(message[0])


async def greet(link: Link) -> None:
    assert await next_word(link) == Hello()
    await link.send(encoded(Begin(disguise="00" * 32)))


async def is_served(base: int, broker: ScriptedBroker) -> bool:
    """Return whether a new client is answered, or closed at once."""
    client = Client(await trio.open_tcp_stream("127.0.0.1", base))
    async with client.stream:
        await client.send(messages.opaque(1))
        with trio.move_on_after(0.5):
            conversation = await broker.accept()
            await conversation.answer(await conversation.expect_request(), b"")
            return await client.receive() == (1, b"")
        return False


async def test_it_serves_once_it_has_an_edition_with_its_doors_to_the_nodes_and_ends_with_its_link():
    here, there = link_pair()
    base = free_base()
    statuses = []
    with trio.fail_after(PATIENCE):
        async with scripted_broker() as broker, trio.open_nursery() as nursery:

            async def run() -> None:
                statuses.append(await serve(Link(there), 10.0))

            nursery.start_soon(run)
            await greet(here)
            await here.send(encoded(Adopt(edition=edition_of(5, broker, base))))
            report = await next_word(here)
            assert isinstance(report, Report)
            bootstrap, node = ("127.0.0.1", base), ("127.0.0.1", base + 2)  # the scripted broker is node 1
            assert (report.edition, report.facts.doors) == (5, (bootstrap, node))
            assert await is_served(base, broker)
            here.close()
    assert statuses == [0]


async def test_a_fault_ends_here_when_its_time_is_over_though_nobody_says_so():
    here, there = link_pair()
    base = free_base()
    with trio.fail_after(PATIENCE):
        async with scripted_broker() as broker, trio.open_nursery() as nursery:
            nursery.start_soon(serve, Link(there), 0.0)
            outage = fault_in_force(1, outage={"cluster": "primary", "mode": "blackhole"}, seconds_left=0.5)
            await greet(here)
            await here.send(encoded(Adopt(edition=edition_of(1, broker, base, faults=(outage,)))))
            assert isinstance(await next_word(here), Report)
            while not await is_served(base, broker):
                pass
            here.close()


async def test_a_port_that_is_taken_is_said_and_is_the_end():
    here, there = link_pair()
    with trio.fail_after(PATIENCE):
        async with scripted_broker() as broker, trio.open_nursery() as nursery:
            statuses = []

            async def run() -> None:
                statuses.append(await serve(Link(there), 10.0))

            nursery.start_soon(run)
            await greet(here)
            await here.send(encoded(Adopt(edition=edition_of(1, broker, broker.port))))
            word = await next_word(here)
            assert isinstance(word, Failed)
            assert f"cannot open 127.0.0.1:{broker.port}: already in use" in word.reason
    assert statuses == [1]
    here.close()
