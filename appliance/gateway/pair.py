"""One client connection and its one upstream connection: two pumps around an Exchange.

Back-pressure is structural: a pump sends before it reads again, so a slow reader on one side stops the reading on the other.
A half-closed client still gets the answers that it is owed. Whatever ends one side ends both.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

from appliance.exchange.connection import Exchange
from appliance.exchange.step import Step, Then
from appliance.gateway.buffers import Buffers, Reading
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.sockets import receive_nowait, send_all
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
        buffers: Buffers,
        open_doors: Callable[[], Awaitable[None]],
    ) -> None:
        self.exchange = exchange
        self._client = client
        self._upstream = upstream
        self._feed = feed
        self._up = Reading(buffers)
        self._down = Reading(buffers)
        self._open_doors = open_doors
        self._to_client = trio.Lock()
        self._client_ended = False

    async def run(self) -> None:
        """Pump both ways until one side ends."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_with, self._pump_responses, nursery.cancel_scope)
                await self._pump_requests()
                self._client_ended = True
                if not len(self.exchange.ledger):
                    nursery.cancel_scope.cancel()
        finally:
            self._up.release()
            self._down.release()

    @staticmethod
    async def _end_with(pump: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        await pump()
        scope.cancel()

    async def _pump_requests(self) -> None:
        reading = self._up
        need = turns = 0
        while True:
            count = receive_nowait(self._client, reading.room(need))
            if count is None:
                if reading.start == reading.end:
                    reading.release()
                await trio.lowlevel.wait_readable(self._client)
                continue
            if not count:
                return
            reading.end += count
            turns += 1
            if turns % _TURNS == 0:
                await trio.lowlevel.checkpoint()
            if reading.end - reading.start < need:
                continue
            while True:
                self.exchange.route = self._feed.current.routes[self.exchange.route.name]
                step = self.exchange.requests(reading.buffer, reading.start, reading.end)
                if step.pieces:
                    await send_all(self._upstream, step.pieces)
                reading.start = step.end
                need = step.need
                if step.then is Then.READ:
                    break
                await self._before_asking_again(step)
            step.pieces.clear()
            reading.used(reading.start)

    async def _before_asking_again(self, step: Step) -> None:
        if step.then is Then.HOLD:
            while (snapshot := self._feed.current).routes[self.exchange.route.name].fenced:
                await self._feed.wait_newer(snapshot.version)
        elif step.then is Then.WAIT:
            await trio.sleep(step.seconds)
        else:
            await self._send_to_client(self.exchange.local_answers(), doors=False)

    async def _pump_responses(self) -> None:
        reading = self._down
        need = turns = 0
        while True:
            count = receive_nowait(self._upstream, reading.room(need))
            if count is None:
                if reading.start == reading.end:
                    reading.release()
                await trio.lowlevel.wait_readable(self._upstream)
                continue
            if not count:
                return
            reading.end += count
            turns += 1
            if turns % _TURNS == 0:
                await trio.lowlevel.checkpoint()
            if reading.end - reading.start < need:
                continue
            while True:
                step = self.exchange.responses(reading.buffer, reading.start, reading.end)
                await self._send_to_client(step.pieces, doors=step.doors)
                reading.start = step.end
                need = step.need
                if step.then is Then.READ:
                    break
                await trio.sleep(step.seconds)
            step.pieces.clear()
            reading.used(reading.start)
            if self._client_ended and not len(self.exchange.ledger):
                return

    async def _send_to_client(self, pieces: Sequence[Buffer], *, doors: bool) -> None:
        """Send to the client; one sender at a time and in the order of asking, as both pumps may have something for it."""
        if not pieces:
            return
        try:
            self._to_client.acquire_nowait()
        except trio.WouldBlock:
            await self._to_client.acquire()
        try:
            if doors:
                await self._open_doors()
            await send_all(self._client, pieces)
        finally:
            self._to_client.release()
