"""Many connections, each with some work behind it, held open: what the memory and the CPU time of idling are
measured with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from tests.bench.bare_client import Address, ask, frame_of, hello, leaders, metadata, produce, receive, refusal, send
from tests.bench.processes import Resident

_PRODUCES = 10
_RECORDS = 60
"""Of 1 KiB in each Produce request."""
_AT_ONCE = 50
"""Connections that are being opened at the same time: a crowd that gathers, not a storm."""


async def hold(bootstrap: str, topic: str, count: int, ready: Callable[[], None]) -> None:
    """Open `count` connections, spread over the partitions' leaders, and keep them; calls `ready` when all have worked.

    Each does ApiVersions, Metadata and some Produce (acks=all), all at once. Raises OSError in groups.
    """
    places = await leaders(bootstrap, topic)
    streams: list[trio.SocketStream] = []
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(_work, streams, topic, *places[number % len(places)])
    ready()
    await trio.sleep_forever()


async def _work(streams: list[trio.SocketStream], topic: str, partition: int, address: Address) -> None:
    stream = await trio.open_tcp_stream(*address)
    streams.append(stream)
    await ask(stream, hello())
    await ask(stream, metadata(topic))
    for _ in range(_PRODUCES):
        refused = refusal(await ask(stream, produce(topic, partition, records=_RECORDS, size=1024)))
        if refused:
            raise OSError(f"Produce was answered with {refused}")


class Crowding:
    """Connections that do next to nothing: first nothing at all, then one record a second each."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        count: int,
        size: int,
        watch: Callable[[], Callable[[], dict[str, Any]]],
        memory: Callable[[], Resident],
    ) -> None:
        """`watch` starts counting CPU time, and what it returns stops that; `memory` looks at the resident memory."""
        self._bootstrap, self._topic, self._count, self._size = bootstrap, topic, count, size
        self._watch, self._memory = watch, memory
        self._streams: list[tuple[trio.SocketStream, int]] = []

    async def run(self, seconds: float) -> dict[str, Any]:
        """Measure both states, each for so many seconds. Raises OSError in groups."""
        places = await leaders(self._bootstrap, self._topic)
        slots = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for number in range(self._count):
                nursery.start_soon(self._come, slots, *places[number % len(places)])
        idle = self._watch()
        await trio.sleep(seconds)
        found: dict[str, Any] = {"idle": idle(), "idle_memory": self._memory().now}
        # One batch for each partition, made beforehand: the crowd itself must not be what is busy.
        frames = {
            partition: frame_of(produce(self._topic, partition, records=1, size=self._size)) for partition, _ in places
        }
        async with trio.open_nursery() as nursery:
            end = trio.current_time() + seconds + 1
            for number, (stream, partition) in enumerate(self._streams):
                nursery.start_soon(self._tick, stream, frames[partition], number / self._count, end)
            await trio.sleep(1)
            busy = self._watch()
            await trio.sleep(seconds)
            found |= {"busy": busy(), "busy_memory": self._memory().now}
        return found

    async def _come(self, slots: trio.CapacityLimiter, partition: int, address: Address) -> None:
        async with slots:
            stream = await trio.open_tcp_stream(*address)
            self._streams.append((stream, partition))
            await ask(stream, hello())
            await ask(stream, metadata(self._topic))

    @staticmethod
    async def _tick(stream: trio.SocketStream, frame: bytes, offset: float, end: float) -> None:
        at = trio.current_time() + offset
        while at < end:
            await trio.sleep_until(at)
            await send(stream, frame)
            await receive(stream)
            at += 1
