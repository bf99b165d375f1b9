"""The same Produce request over and over on many connections: work that is the gateway's CPU time and little else."""

from __future__ import annotations

import trio

from tests.bench.bare_client import Address, ask, frame_of, hello, leaders, produce, receive, send


async def strike(bootstrap: str, topic: str, count: int, seconds: float, size: int, records: int) -> int:
    """Produce for so many seconds on each of `count` connections; return how many requests were answered.

    Each request is one batch, acks=all, sent when the one before it is answered. Raises OSError in groups.
    """
    places = await leaders(bootstrap, topic)
    frames = {partition: frame_of(produce(topic, partition, records=records, size=size)) for partition, _ in places}
    answered = 0

    async def work(partition: int, address: Address, connected: trio.Event) -> None:
        nonlocal answered
        async with await trio.open_tcp_stream(*address) as stream:
            await ask(stream, hello())
            connected.set()
            end = trio.current_time() + seconds
            while trio.current_time() < end:
                await send(stream, frames[partition])
                await receive(stream)
                answered += 1

    async with trio.open_nursery() as nursery:
        for number in range(count):
            connected = trio.Event()
            nursery.start_soon(work, *places[number % len(places)], connected)
            await connected.wait()
    return answered
