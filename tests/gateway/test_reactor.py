"""Traffic is served without trio, and trio is not starved by it."""

import socket
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import trio

from appliance.gateway.reactor import BROKEN, READ, WRITE, Reactor

PATIENCE = 20.0


@pytest.fixture
async def reactor(nursery: trio.Nursery) -> AsyncIterator[Reactor]:
    with closing(Reactor()) as made:
        await nursery.start(made.run)
        yield made


@pytest.fixture
def ends():
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        yield here, there


async def test_a_handler_is_called_when_bytes_have_come(reactor: Reactor, ends: tuple[socket.socket, ...]):
    here, there = ends
    came = trio.Event()

    def ready(events: int) -> None:
        assert events & READ
        assert here.recv(10) == b"hello"
        came.set()
        reactor.yield_soon()

    reactor.watch(here.fileno(), READ, ready)
    there.send(b"hello")
    with trio.fail_after(PATIENCE):
        await came.wait()
    reactor.forget(here.fileno())


async def test_what_a_handler_leaves_is_told_again(reactor: Reactor, ends: tuple[socket.socket, ...]):
    here, there = ends
    read = bytearray()
    whole = trio.Event()

    def ready(_: int) -> None:
        read.extend(here.recv(1))
        if read == b"hello":
            whole.set()
            reactor.yield_soon()

    reactor.watch(here.fileno(), READ, ready)
    there.send(b"hello")
    with trio.fail_after(PATIENCE):
        await whole.wait()
    reactor.forget(here.fileno())


async def test_trio_gets_its_turn_while_traffic_never_ends(reactor: Reactor, ends: tuple[socket.socket, ...]):
    calls = 0

    def ready(_: int) -> None:
        nonlocal calls
        calls += 1

    reactor.watch(ends[0].fileno(), WRITE, ready)  # writable for ever, and nobody writes
    with trio.fail_after(PATIENCE):
        for _ in range(20):
            await trio.sleep(0.001)
    assert calls > 20
    reactor.forget(ends[0].fileno())


async def test_a_socket_that_nobody_reads_still_tells_that_it_is_broken(reactor: Reactor):
    heard = trio.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()

        def ready(events: int) -> None:
            assert events & BROKEN
            reactor.change(here.fileno(), 0)
            if not heard.is_set():
                heard.set()
                reactor.yield_soon()

        reactor.watch(here.fileno(), 0, ready)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        there.close()
        with trio.fail_after(PATIENCE):
            await heard.wait()
        reactor.forget(here.fileno())
        here.close()


async def test_a_handler_that_another_one_ended_is_not_called_any_more(reactor: Reactor):
    pairs = [socket.socketpair(), socket.socketpair()]
    called = []
    over = trio.Event()

    def handler(own: socket.socket, other: socket.socket):
        def ready(_: int) -> None:
            called.append(own)
            for each in (own, other):
                reactor.forget(each.fileno())
            over.set()
            reactor.yield_soon()

        return ready

    first, second = pairs[0][0], pairs[1][0]
    for _, there in pairs:
        there.send(b"x")
    reactor.watch(first.fileno(), READ, handler(first, second))
    reactor.watch(second.fileno(), READ, handler(second, first))
    with trio.fail_after(PATIENCE):
        await over.wait()
        await trio.sleep(0.005)
    assert len(called) == 1
    for here, there in pairs:
        here.close()
        there.close()


async def test_trio_gets_more_turns_while_a_connection_waits_for_it(reactor: Reactor, ends: tuple[socket.socket, ...]):
    rounds, begun = 0, trio.Event()

    def ready(_: int) -> None:
        nonlocal rounds
        rounds += 1
        begun.set()

    async def rounds_a_turn() -> float:
        for _ in range(5):  # a turn that has begun may still be a long one
            await trio.lowlevel.checkpoint()
        before = rounds
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        return (rounds - before) / 20

    reactor.watch(ends[0].fileno(), WRITE, ready)  # writable for ever, and nobody writes
    with trio.fail_after(PATIENCE):
        await begun.wait()
        alone = await rounds_a_turn()
        with reactor.attentive():
            attended = await rounds_a_turn()
    assert attended < alone
    reactor.forget(ends[0].fileno())
