"""Whoever asks whether the data path turns is told of the data path, and not of trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import trio
from trio.testing import wait_all_tasks_blocked

from appliance.gateway.heartbeat import Heartbeat
from appliance.gateway.reactor import Reactor

PATIENCE = 20.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def beating(clock: Clock, *, reactor_turns: bool) -> AsyncIterator[Heartbeat]:
    """Run a heartbeat that was made at 0 seconds and begins to beat at 100, for the length of a block."""
    with closing(Reactor()) as reactor, trio.fail_after(PATIENCE):
        heartbeat = Heartbeat(reactor, clock)
        clock.now = 100.0
        async with trio.open_nursery() as nursery:
            if reactor_turns:
                await nursery.start(reactor.run)
            await nursery.start(heartbeat.run)
            yield heartbeat
            nursery.cancel_scope.cancel()


async def test_a_reactor_that_turns_is_heard():
    clock = Clock()
    async with beating(clock, reactor_turns=True) as heartbeat:
        while heartbeat.silence:
            await wait_all_tasks_blocked(0.01)
        clock.now = 130.0
        assert heartbeat.silence == 30.0
        while heartbeat.silence:  # until the next beat
            await wait_all_tasks_blocked(0.01)


async def test_a_reactor_that_does_not_turn_falls_silent_though_trio_does():
    async with beating(Clock(), reactor_turns=False) as heartbeat:
        await wait_all_tasks_blocked(0.05)
        assert heartbeat.silence == 100.0
