"""A broker that says what a test tells it to: bytes in, bytes out.

It answers the gateway's own questions (client id `tidegate`: which versions, which nodes) by itself, from `nodes`.
Every other connection is a `Conversation` in the test's hands from its first request on.
"""

from __future__ import annotations

import math
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from tests.gateway import messages
from tests.gateway.messages import Request

_ITS_VERSIONS = (
    (messages.PRODUCE, 3, 11),
    (messages.FETCH, 4, 17),
    (messages.METADATA, 0, 9),
    (messages.LIST_GROUPS, 0, 5),
    (messages.API_VERSIONS, 0, 4),
)


class Conversation:
    """The broker's end of one client's connection. End of stream is `None` or an empty string, never an exception."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._held = bytearray()

    async def next_request(self) -> Request | None:
        """Return the next request, None at the end."""
        if not await self._hold(4):
            return None
        size = 4 + int.from_bytes(self._held[:4], "big")
        if not await self._hold(size):
            return None
        frame = bytes(self._held[:size])
        del self._held[:size]
        return messages.parsed_request(frame)

    async def expect_request(self) -> Request:
        """Return the next request, which must come."""
        request = await self.next_request()
        assert request is not None, "the gateway closed where a request was due"
        return request

    async def answer(self, request: Request, body: bytes) -> None:
        """Answer this request."""
        await self.stream.send_all(messages.response(request.correlation_id, body, flexible=request.flexible_answer))

    async def is_quiet(self) -> bool:
        """Return whether nothing has come, neither bytes nor an end, once the gateway has nothing more to do."""
        await trio.testing.wait_all_tasks_blocked(0.02)
        return not self._held and not select.select([self.stream.socket], [], [], 0)[0]

    async def ended(self) -> bool:
        """Wait for the end of the stream; return whether it ended without another byte."""
        return await self.next_request() is None and not self._held

    async def _hold(self, size: int) -> bool:
        while len(self._held) < size:
            try:
                some = await self.stream.receive_some()
            except trio.BrokenResourceError:
                some = b""
            if not some:
                return False
            self._held += some
        return True

    def give_back(self, request: Request) -> None:
        """Let `next_request` return this one again."""
        self._held[:0] = request.frame


class ScriptedBroker:
    """Listens on one port of the loopback. `nodes` is what it says of its cluster: node id -> host and port."""

    def __init__(self, listener: trio.SocketListener, node_id: int) -> None:
        self._listener = listener
        self.port: int = listener.socket.getsockname()[1]
        self.address = ("127.0.0.1", self.port)
        self.nodes = {node_id: self.address}
        self.answering = trio.Event()
        """Until set, the gateway's own questions stay without an answer; set unless a test clears it."""
        self.answering.set()
        self.cluster_id = f"cluster-behind-{self.port}"
        self.connections = 0
        """So far, the gateway's own included, and such on which nothing was said."""
        self.arrived = 0
        """Client connections on which a request has come, so far."""
        self._send, self._arrivals = trio.open_memory_channel[Conversation](math.inf)

    async def accept(self) -> Conversation:
        """Return the next client connection on which a request has come."""
        return await self._arrivals.receive()

    async def serve(self) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._serve_one, [self._listener])

    async def aclose(self) -> None:
        """Stop listening: further connections are refused."""
        await self._listener.aclose()

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        conversation = Conversation(stream)
        request = await conversation.next_request()
        if request is None:
            return
        if request.client_id not in ("tester", "tidegate"):
            return  # a stranger: what it says is of no interest
        if request.client_id == "tester":
            self.arrived += 1
            conversation.give_back(request)
            await self._send.send(conversation)
            await trio.sleep_forever()  # the stream is the test's now
        while request is not None:
            await self.answering.wait()
            if request.api_key == messages.API_VERSIONS:
                body = messages.offered_versions(_ITS_VERSIONS, request.api_version)
            else:
                body = messages.metadata_answer(self.nodes, self.cluster_id)
            await conversation.answer(request, body)
            request = await conversation.next_request()


@asynccontextmanager
async def scripted_broker(node_id: int = 1, port: int = 0) -> AsyncIterator[ScriptedBroker]:
    """Run one for the length of a block."""
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    broker = ScriptedBroker(listener, node_id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(broker.serve)
        yield broker
        nursery.cancel_scope.cancel()
