"""One client connection and its one upstream connection: two pumps around an Exchange.

Back-pressure is structural: a pump sends before it reads again, so a slow reader on one side stops the reading on the
other.
A half-closed client still gets the answers that it is owed. Whatever ends one side ends both.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.snapshot import Route
from appliance.exchange.step import Step, Then
from appliance.gateway.buffers import Buffers, Reading
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.sockets import receive_nowait, send_all, send_nowait
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer

_TURNS = 16
"""Reads in a row without giving way to others."""


class Pair:
    """Moves bytes between two connected sockets until one side ends; `run` returns then. Does not close the sockets.

    `run` raises Malformed for bytes that cannot be Kafka's, OSError for a broken connection; both mean: close.
    """

    def __init__(
        self,
        client: socket.socket,
        upstream: socket.socket,
        exchange: Exchange,
        *,
        feed: SnapshotFeed,
        request_buffers: Buffers,
        response_buffers: Buffers,
        open_doors: Callable[[], None],
    ) -> None:
        self.exchange = exchange
        self._client = client
        self._upstream = upstream
        self._feed = feed
        self._up = Reading(request_buffers)
        self._down = Reading(response_buffers)
        self._open_doors = open_doors
        self._to_client = trio.Lock()
        self._client_ended = False
        self._turns = 0
        self._failure: Malformed | OSError | None = None

    async def run(self) -> None:
        """Pump both ways until one side ends."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_end, self._pump_responses, nursery.cancel_scope)
                nursery.start_soon(self._until_end, self._pump_requests, nursery.cancel_scope)
        finally:
            self._up.release()
            self._down.release()
        if self._failure is not None:
            raise self._failure

    async def _until_end(self, pump: Callable[[], Awaitable[bool]], scope: trio.CancelScope) -> None:
        """Run a pump; unless it says that the other may go on, the end of one is the end of both."""
        try:
            if await pump():
                return
        except (Malformed, OSError) as error:
            self._failure = self._failure or error
        scope.cancel()

    async def _pump_requests(self) -> bool:
        """Returns whether the client, done with asking, is still owed answers."""
        reading, need = self._up, 0
        while await self._more(self._client, reading, need):
            while True:
                self.exchange.route = self._route()
                step = self.exchange.requests(reading.buffer, reading.start, reading.end)
                if step.pieces:
                    await send_all(self._upstream, step.pieces)
                reading.start, need = step.end, step.need
                if step.then is Then.READ:
                    break
                await self._before_asking_again(step)
            step.pieces.clear()
            reading.used(reading.start)
        self.exchange.end_of_requests()
        self._client_ended = True
        return len(self.exchange.ledger) > 0

    def _route(self) -> Route:
        """Return the route as it is now; one that was removed stays as it was until the session is ended for it."""
        return self._feed.current.routes.get(self.exchange.route.name, self.exchange.route)

    async def _before_asking_again(self, step: Step) -> None:
        if step.then is Then.HOLD:
            while self._route().fenced:
                await self._feed.wait_newer(self._feed.current.version)
        elif step.then is Then.WAIT:
            await trio.sleep(step.seconds)
        else:
            await self._send_to_client(self.exchange.local_answers())

    async def _pump_responses(self) -> bool:
        reading, need = self._down, 0
        while await self._more(self._upstream, reading, need):
            while True:
                step = self.exchange.responses(reading.buffer, reading.start, reading.end)
                if step.doors:
                    # Before anything is awaited: the next connection to hear of these nodes will not find them new.
                    self._open_doors()
                await self._send_to_client(step.pieces)
                reading.start, need = step.end, step.need
                if step.then is Then.READ:
                    break
                await trio.sleep(step.seconds)
            step.pieces.clear()
            reading.used(reading.start)
            if self._client_ended and not len(self.exchange.ledger):
                return False
        self.exchange.end_of_responses()
        return False

    async def _more(self, sock: socket.socket, reading: Reading, need: int) -> bool:
        """Read something, and on until `need` bytes are in hand; False at the end of the stream."""
        while True:
            count = receive_nowait(sock, reading.room(need))
            if count is None:
                if reading.start == reading.end:
                    reading.release()
                await trio.lowlevel.wait_readable(sock)
            elif not count:
                return False
            else:
                reading.end += count
                self._turns += 1
                if self._turns % _TURNS == 0:
                    await trio.lowlevel.checkpoint()
                if reading.end - reading.start >= need:
                    return True

    async def _send_to_client(self, pieces: Sequence[Buffer]) -> None:
        """Send to the client; one sender at a time and in the order of asking, as both pumps may have something for
        it."""
        if not pieces:
            return
        if not self._to_client.locked():
            # As a rule there is one sender, and everything is taken at once: then the lock is not needed.
            pieces = send_nowait(self._client, pieces)
            if not pieces:
                return
            self._to_client.acquire_nowait()  # before anybody else can run
        else:
            await self._to_client.acquire()
        try:
            await send_all(self._client, pieces)
        finally:
            self._to_client.release()
