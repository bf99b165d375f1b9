"""One client connection and its one upstream connection: two pumps around an Exchange.

Back-pressure is structural: a pump sends before it reads again, so a slow reader on one side stops the reading on the
other.
A half-closed client still gets the answers that it is owed. Whatever ends one side ends both.

The upstream connection is opened when the first bytes have to go there: who only knocks, or asks what others have just
been told, costs the cluster nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.message import Question
from appliance.exchange.route import Route
from appliance.exchange.step import NotAuthenticated, OverLimit, Step, Then
from appliance.exchange.topology import Knowledge
from appliance.gateway.buffers import Memory, Reading
from appliance.gateway.channel import Channel
from appliance.gateway.dialer import Dialled
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.login import Outcome
from appliance.gateway.outlet import Outlet
from appliance.gateway.pump import Pump
from appliance.gateway.reactor import BROKEN, READ, WRITE, Reactor
from appliance.identity.upstream.login import Ask

Dial = Callable[[], Awaitable[Dialled]]
"""Opens the upstream connection. Raises GatewayError, Malformed or OSError where there is none to be had."""
Authenticate = Callable[[Question], Awaitable[Outcome]]
"""Finds the answer to a SASL request on a connection that stands (KIP-368)."""


class _Side:
    """One of the two connections: what is read from it, what goes out by it, and what is waited for."""

    def __init__(self, channel: Channel, outlet: Outlet, pump: Pump) -> None:
        self.channel = channel
        self.outlet = outlet
        self.pump = pump
        self.fd = channel.fileno()
        self.watched = READ

    @property
    def wanted(self) -> int:
        return (READ if self.pump.listening else 0) | (WRITE if self.outlet.blocked else 0)

    def ready(self, events: int) -> None:
        if events & WRITE:
            self.outlet.writable()
        if self.pump.listening:
            if events & (READ | BROKEN):
                self.pump.readable()
        elif events & BROKEN:
            # Nobody reads just now, so nobody would hear of it.
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


class Pair:
    """Moves bytes between two channels until one side ends; `run` returns then. The client's is not closed here.

    `run` raises Malformed for bytes that cannot be Kafka's, OSError for a broken connection, and what `dial` raises;
    all mean: close. `stay` keeps the upstream connection logged in where its session ends.
    """

    def __init__(
        self,
        client: Channel,
        exchange: Exchange,
        *,
        dial: Dial,
        stay: Callable[[Pair, Dialled], Awaitable[None]],
        reactor: Reactor,
        feed: SnapshotFeed,
        memory: Memory,
        open_doors: Callable[[], None],
        authenticate: Authenticate | None = None,
    ) -> None:
        self.exchange = exchange
        self.expires_at: float | None = None
        """When the client must have authenticated again, by the reactor's clock."""
        self._authenticate = authenticate
        self.at_the_fence = False
        """The client's next request is a write, and waits unread until writes flow."""
        self._waiting_client = False
        """The client's next request waits until the upstream connection is free again."""
        self._between_requests = trio.Event()
        self._reactor = reactor
        self._feed = feed
        self._open_doors = open_doors
        self._dial = dial
        self._dialling = False
        self._stay = stay
        self._memory = memory
        self._to_upstream = Outlet()
        requests = Pump(
            client,
            Reading(memory.requests, memory.budget, reactor.clock, self._evict),
            self._ask_requests,
            self._to_upstream,
            pause=self._pause_requests,
            end=self._requests_ended,
        )
        self._client = _Side(client, Outlet(client), requests)
        self._sides = [self._client]
        """Those that there are: the upstream one comes when it is needed."""
        self.active_at = reactor.clock()
        """When bytes last came, by the reactor's clock."""
        self._client_ended = False
        self._ended = trio.Event()
        self._failure: Exception | None = None
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Pump both ways until one side ends."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                self._begin(self._client)
                await self._ended.wait()
            finally:
                self._ended.set()
                for side in self._sides:
                    self._leave(side)
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    def _leave(self, side: _Side) -> None:
        self._reactor.forget(side.fd)
        side.pump.release()
        if side is not self._client:
            side.channel.close()

    def _begin(self, side: _Side) -> None:
        self._reactor.watch(side.fd, side.watched, self._handler(side))
        if side.channel.more():
            self._guarded(side.pump.readable)

    async def _connect(self) -> None:
        """Open the upstream connection, and keep it logged in."""
        try:
            with self._reactor.attentive():
                dialled = await self._dial()
            self._connected(dialled.channel)
            if dialled.session_lifetime is not None:
                await self._stay(self, dialled)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._end(error)

    def _connected(self, channel: Channel) -> None:
        if self._ended.is_set():
            channel.close()
            return
        responses = Pump(
            channel,
            Reading(self._memory.responses, self._memory.budget, self._reactor.clock, self._evict),
            self._ask_responses,
            self._client.outlet,
            pause=self._pause_responses,
            end=self._responses_ended,
        )
        upstream = _Side(channel, self._to_upstream, responses)
        self._sides.append(upstream)
        self._begin(upstream)
        self._guarded(lambda: self._to_upstream.open(channel))

    # -- called by the reactor, and by what a pump waits for

    def _handler(self, side: _Side) -> Callable[[int], None]:
        def ready(events: int) -> None:
            try:
                self.active_at = self.exchange.metering.now = self._reactor.now
                side.ready(events)
                self._settle()
            except Exception as error:  # noqa: BLE001 - of this connection, not of the reactor's: `run` raises it
                self._end(error)

        return ready

    def _guarded(self, move: Callable[[], None]) -> None:
        """Let a pump move outside of the reactor's round."""
        if self._ended.is_set():
            return
        self.exchange.metering.now = self._reactor.clock()
        try:
            move()
            self._settle()
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._end(error)

    def _settle(self) -> None:
        """Note what has left, and have both sides watched for what they want now."""
        metering = self.exchange.metering
        if not self._dialling and self._to_upstream.blocked:
            self._dialling = True
            self._nursery.start_soon(self._connect)
            self._reactor.yield_soon()
        if metering.sending and not self._to_upstream.blocked:
            metering.requests_left(self._reactor.clock(), whole=self.exchange.between_requests)
        if metering.replying and not self._client.outlet.blocked:
            metering.responses_left(self._reactor.clock())
        if self._client_ended and not len(self.exchange.ledger) and not self._client.outlet.blocked:
            self._end()
            return
        for side in self._sides:
            wanted = side.wanted
            if wanted != side.watched:
                side.watched = wanted
                self._reactor.change(side.fd, wanted)

    def _evict(self, reason: str) -> None:
        """End it for somebody else's sake: from within another pair's move, or the gateway's own."""
        self._end(OverLimit(reason))

    def _end(self, failure: Exception | None = None) -> None:
        self._failure = self._failure or failure
        if self._ended.is_set():
            return
        self._ended.set()
        for side in self._sides:
            side.pump.listening = False
            self._reactor.change(side.fd, 0)
        self._reactor.yield_soon()

    # -- client to broker

    def _ask_requests(self, buffer: memoryview, start: int, end: int) -> Step:
        self.exchange.route = self._route()
        if self.expires_at is not None and self._reactor.now >= self.expires_at:
            self.exchange.expired = True
        return self.exchange.requests(buffer, start, end)

    def _route(self) -> Route:
        """Return the route as it is now; one that was removed stays as it was until the session is ended for it."""
        return self._feed.current.routes.get(self.exchange.route.name, self.exchange.route)

    def _pause_requests(self, step: Step) -> bool:
        if step.then is Then.ANSWER:
            answers = self.exchange.local_answers()
            return not answers or self._client.outlet.send(answers, self._client.pump.go_on)
        if step.then is Then.YIELD:
            self._waiting_client = True
            self._between_requests.set()
            self._reactor.yield_soon()
        elif step.then is Then.HOLD:
            self.at_the_fence = True
            self._later(self._client, self.past_the_fence)
        elif step.then is Then.OTHERS:
            self.exchange.when_told(lambda: self._guarded(self._client.pump.go_on))
        elif step.then is Then.AUTHENTICATE:
            self._later(self._client, self._answer_sasl, step.question)
        else:
            self._later(self._client, trio.sleep, step.seconds)
        return False

    async def past_the_fence(self) -> None:
        """Wait until writes flow to the cluster at the other end."""
        await self._feed.until(lambda: not self._kept_from_writing())
        self.at_the_fence = False

    def _kept_from_writing(self) -> bool:
        self.exchange.route = self._route()
        return self.exchange.kept_from_writing

    async def newcomers_served(self) -> None:
        """Wait until clients that connect are served."""
        await self._feed.until(lambda: not self._route().newcomers_wait)

    async def _answer_sasl(self, question: Question) -> None:
        assert self._authenticate is not None
        outcome = await self._authenticate(question)

        def answer() -> None:
            if outcome.body is not None:
                self.exchange.answer(question, outcome.body)
                answers = self.exchange.local_answers()
                if answers:
                    self._client.outlet.send(answers, _nothing)
            if outcome.close:
                raise NotAuthenticated("the client did not authenticate again")

        self._guarded(answer)

    def _requests_ended(self) -> None:
        self.exchange.end_of_requests()
        self._client_ended = True

    # -- when another cluster serves

    @property
    def quiet(self) -> bool:
        """Whether the client waits for nothing, as far as is known here."""
        client, exchange = self._client, self.exchange
        idle = client.pump.idle and not self.at_the_fence and exchange.between_requests
        return idle and not len(exchange.ledger) and not client.outlet.blocked

    def part(self) -> None:
        """End it; a client that waits for nothing but Fetch is told that there is nothing new."""
        client = self._client
        if client.pump.idle and self.exchange.between_requests and not client.outlet.blocked:
            self._guarded(self._find_nothing)
        self._end()

    def _find_nothing(self) -> None:
        answers = self.exchange.find_nothing()
        if answers:
            self._client.outlet.send(answers, _nothing)

    def hand_over(self, channel: Channel, knowledge: Knowledge, serve: Callable[[], Awaitable[None]]) -> None:
        """Give the broker's place to who is at the other end of this channel, and run `serve` as long as the pair.

        Only at the fence, while the client is owed nothing.
        """
        assert self.at_the_fence
        assert not len(self.exchange.ledger)
        for side in self._sides[1:]:
            self._leave(side)
        del self._sides[1:]
        self._dialling = True  # and nobody has to, any more
        self.exchange.knowledge, self.exchange.introduction = knowledge, None
        self._connected(channel)
        self._nursery.start_soon(serve)

    # -- the gateway's own requests

    @asynccontextmanager
    async def upstream_reserved(self) -> AsyncIterator[Callable[[Ask], Awaitable[bytes]]]:
        """Keep the client's requests back for the length of a block, in which the gateway asks the broker itself.

        What it gives returns the body of the response.
        """
        exchange = self.exchange
        exchange.reserved = True
        try:
            if not exchange.between_requests:
                self._between_requests = trio.Event()
                await self._between_requests.wait()
            yield self._ask_upstream
        finally:
            exchange.reserved = False
            if self._waiting_client:
                self._waiting_client = False
                self._guarded(self._client.pump.go_on)

    async def _ask_upstream(self, question: Ask) -> bytes:
        came = trio.Event()
        answers: list[bytes] = []

        def answered(answer: bytes) -> None:
            answers.append(answer)
            came.set()
            self._reactor.yield_soon()

        frame = self.exchange.ask(question.api_key, question.api_version, question.body, answered)
        self._guarded(lambda: self._send_upstream(frame))
        await came.wait()
        return answers[0]

    def _send_upstream(self, frame: bytes) -> None:
        self._to_upstream.send([frame], _nothing)

    # -- broker to client

    def _ask_responses(self, buffer: memoryview, start: int, end: int) -> Step:
        step = self.exchange.responses(buffer, start, end)
        if step.doors:
            # Before anything is sent: the next connection to hear of these nodes will not find them new.
            self._open_doors()
        return step

    def _pause_responses(self, step: Step) -> bool:
        self._later(self._sides[-1], trio.sleep, step.seconds)
        return False

    def _responses_ended(self) -> None:
        self.exchange.end_of_responses()
        self._end()

    def _later(self, side: _Side, wait: Callable[..., object], *arguments: object) -> None:
        """Let the side's pump go on when the wait is over."""

        async def wait_and_go_on() -> None:
            with self._reactor.attentive():
                await wait(*arguments)  # type: ignore[misc]
            self._guarded(side.pump.go_on)

        self._nursery.start_soon(wait_and_go_on)
        self._reactor.yield_soon()


def _nothing() -> None:
    """Nobody waits for it to have gone."""
