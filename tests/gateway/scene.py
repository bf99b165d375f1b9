"""A gateway in this process, scripted brokers behind it, and bare clients in front."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import select
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import trio
import trio.testing

from appliance.exchange.interceptor import Interceptor, Mode, Outage
from appliance.exchange.route import Route, Target
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.server import Gateway
from appliance.gateway.snapshot import Door, Snapshot
from appliance.resources.limits import LimitsSpec
from appliance.resources.listener import BrokerPorts, ListenerSpec
from tests.gateway import messages
from tests.gateway.scripted_broker import Conversation, ScriptedBroker, scripted_broker

PATIENCE = 30.0
"""Seconds after which a test has failed; far more than any step takes on the slowest machine."""


class Client:
    """A client without any library: it sends frames and reads frames."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._held = bytearray()

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive(self) -> tuple[int, bytes]:
        """Return correlation id and body (of a response that is flexible) of the next response."""
        frame = await self.receive_frame()
        return int.from_bytes(frame[4:8], "big"), frame[9:]

    async def receive_frame(self) -> bytes:
        """Return the next response, whole."""
        assert await self.hold(4), "the gateway closed where an answer was due"
        size = 4 + int.from_bytes(self._held[:4], "big")
        assert await self.hold(size), "the gateway closed within an answer"
        frame = bytes(self._held[:size])
        del self._held[:size]
        return frame

    async def rest(self) -> bytes:
        """Return what comes until the gateway closes the connection. Raises BrokenResourceError after a reset."""
        while some := await self.stream.receive_some():
            self._held += some
        return bytes(self._held)

    async def closed(self) -> None:
        """Wait for the end; where bytes were unread on the gateway's side, the kernel makes it a reset."""
        with contextlib.suppress(trio.BrokenResourceError):
            assert await self.rest() == b""

    async def is_quiet(self) -> bool:
        """Return whether nothing has come, neither bytes nor an end, once the gateway has nothing more to do."""
        await trio.testing.wait_all_tasks_blocked(0.02)
        return not self._held and not select.select([self.stream.socket], [], [], 0)[0]

    async def hold(self, size: int) -> bool:
        """Receive until so many bytes are there; return whether they came."""
        while len(self._held) < size:
            some = await self.stream.receive_some()
            if not some:
                return False
            self._held += some
        return True


class CountedOutage:
    """An outage, and how many connections it struck."""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode
        self.clients: list[str] = []

    def struck(self, client_id: str) -> None:
        self.clients.append(client_id)


class Scene:
    """A running gateway with one door, `orders`, and the means to change its configuration."""

    def __init__(
        self, gateway: Gateway, feed: SnapshotFeed, broker: ScriptedBroker | None, nursery: trio.Nursery
    ) -> None:
        self.gateway = gateway
        self.feed = feed
        self._broker = broker
        self.nursery = nursery
        self._clients: list[Client] = []

    @property
    def broker(self) -> ScriptedBroker:
        assert self._broker is not None, "behind this gateway are real brokers"
        return self._broker

    @property
    def door(self) -> Door:
        return self.feed.current.doors[0]

    async def client(self, node_id: int | None = None) -> Client:
        """Connect through the bootstrap door, or a node's: there knock until it opens, as clients do."""
        host, port = self.door.bound(node_id)
        while True:
            try:
                client = Client(await trio.open_tcp_stream(host, port))
                break
            except OSError:
                await trio.sleep(0.01)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close what clients are left."""
        for client in self._clients:
            client.stream.socket.close()

    async def link(self, node_id: int | None = None) -> tuple[Client, Conversation]:
        """Return both ends of a connection, on which one request has already been answered."""
        client = await self.client(node_id)
        await client.send(messages.opaque(1))
        conversation = await self.broker.accept()
        await conversation.answer(await conversation.expect_request(), b"hello")
        assert await client.receive() == (1, b"hello")
        return client, conversation

    async def is_served(self) -> None:
        """Fail unless a new client gets an answer."""
        client, conversation = await self.link()
        await client.stream.aclose()
        assert await conversation.ended()

    def publish(
        self,
        *,
        fenced: bool | None = None,
        newcomers_wait: bool | None = None,
        held_writes_go_on: bool | None = None,
        target: Target | None = None,
        outages: Mapping[str, Outage] | None = None,
        interceptors: tuple[Interceptor, ...] | None = None,
    ) -> None:
        """Put a changed configuration in force."""
        now = self.feed.current
        asked = {
            "fenced": fenced,
            "newcomers_wait": newcomers_wait,
            "held_writes_go_on": held_writes_go_on,
            "target": target,
            "outages": outages,
            "interceptors": interceptors,
        }
        changes = {name: value for name, value in asked.items() if value is not None}
        route = dataclasses.replace(now.routes["orders"], **changes)  # type: ignore[arg-type]  # the field's own types
        self.feed.publish(Snapshot(now.version + 1, {"orders": route}, now.doors))

    def remove_virtual_cluster(self) -> None:
        """Put a configuration in force that has nothing in it."""
        self.feed.publish(Snapshot(self.feed.current.version + 1, {}, ()))


def target_of(broker: ScriptedBroker, name: str = "primary") -> Target:
    """Return the cluster that this broker is."""
    return Target(name, (broker.address,))


def door_on(base: int, brokers: BrokerPorts | None = None) -> Door:
    """Return a door whose bootstrap port is `base`; nodes come right behind."""
    ports = brokers or BrokerPorts(first=base + 1)
    return Door("plain", ListenerSpec(bind=f"127.0.0.1:{base}", virtual_cluster="orders", broker_ports=ports))


@asynccontextmanager
async def running(
    broker: ScriptedBroker | None, door: Door, *, target: Target | None = None, limits: LimitsSpec | None = None
) -> AsyncIterator[Scene]:
    """Run a gateway before this broker, or `target`, for the length of a block, which must not take longer than
    PATIENCE."""
    if limits is not None:
        door = dataclasses.replace(door, spec=door.spec.model_copy(update={"limits": limits}))
    if target is None:
        assert broker is not None
        target = target_of(broker)
    feed = SnapshotFeed(Snapshot(1, {"orders": Route("orders", target)}, (door,)))
    gateway = Gateway(feed)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.serve)
            made = Scene(gateway, feed, broker, nursery)
            try:
                yield made
            finally:
                made.close()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def scene(*, limits: LimitsSpec | None = None) -> AsyncIterator[Scene]:
    """Run a gateway before one scripted broker, node 1."""
    async with scripted_broker() as broker, running(broker, door_on(free_base()), limits=limits) as made:
        yield made


@asynccontextmanager
async def between_two() -> AsyncIterator[tuple[Scene, ScriptedBroker]]:
    """Run a gateway before one scripted broker, node 1; return with it another cluster's, node 11."""
    async with scripted_broker(11) as other, scene() as made:
        yield made, other


def free_base(offsets: Iterable[int] = range(5)) -> int:
    """Return a port from which on all these are free; below the range of outgoing connections."""
    rows = 10_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))  # each process of pytest has its own
    first = 20_000 + rows * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(200):
        base = random.randrange(first, first + rows)
        if all(_free(base + offset) for offset in offsets):
            return base
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
