"""Many clients that lose their connections at once and come back at once: what a failover looks like from in front."""

from __future__ import annotations

import trio

from appliance.wire.headers import SIZE
from tests.bench.bare_client import Address, ask, frame_of, hello, leaders, metadata, send

_AT_ONCE = 50
_BUFFER = 256 * 1024
_SMALLEST_PARTITION = 20
"""Bytes that a partition takes in a Metadata answer at least: shorter answers are not the whole truth."""


async def reconnect(bootstrap: str, topic: str, partitions: int, count: int) -> list[float]:
    """Connect `count` clients, close all connections, and let all come back at the same moment.

    Returns for each the seconds from that moment until it had the Metadata of all partitions. Raises OSError in groups.
    """
    addresses = sorted({address for _, address in await leaders(bootstrap, topic)})
    slots = trio.CapacityLimiter(_AT_ONCE)
    streams: list[trio.SocketStream] = []

    async def come(address: Address) -> None:
        async with slots:
            stream = await trio.open_tcp_stream(*address)
            streams.append(stream)
            await ask(stream, hello())

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(come, addresses[number % len(addresses)])
    for stream in streams:
        await stream.aclose()

    questions = (frame_of(hello()), frame_of(metadata(topic)))
    room = memoryview(bytearray(_BUFFER))  # one for all: nobody looks at the bytes
    seconds: list[float] = []
    begin = trio.current_time()

    async def come_back(address: Address) -> None:
        async with await trio.open_tcp_stream(*address) as stream:
            for question in questions:
                await send(stream, question)
                size = await _answer(stream, room)
            if size < partitions * _SMALLEST_PARTITION:
                raise OSError(f"expected Metadata of {partitions} partitions, found an answer of {size} bytes")
            seconds.append(trio.current_time() - begin)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(come_back, addresses[number % len(addresses)])
    return seconds


async def _answer(stream: trio.SocketStream, room: memoryview) -> int:
    """Read one answer and throw it away; return its size."""
    head = bytearray()
    while len(head) < SIZE.size:
        head += await _some(stream, SIZE.size - len(head))
    size = int(SIZE.unpack(head)[0])
    left = size
    while left:
        count = await stream.socket.recv_into(room[: min(left, len(room))])
        if not count:
            raise OSError("the connection was closed while an answer was due")
        left -= count
    return size


async def _some(stream: trio.SocketStream, count: int) -> bytes:
    data = await stream.socket.recv(count)
    if not data:
        raise OSError("the connection was closed while an answer was due")
    return bytes(data)
