"""Connections of which it is known which worker serves them: what a worker's death does to whom."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import trio

from tests.bench.bare_client import ask, hello, leaders
from tests.bench.processes import tree
from tests.soak.judging import Kill

COUNT = 24
_BEAT = 0.25
_RESTART_SECONDS = 15.0


class NoSentinelsError(Exception):
    """The connections are not spread so that anything can be shown; the message says how they are."""


@dataclass
class Sentinels:
    """Connections through the gateway that ask something four times a second, and notice when they break."""

    bootstrap: str
    topic: str
    root: int
    """The gateway's first process."""
    _ports: dict[int, int] = field(default_factory=dict)
    """Connection -> its port here, while it stands."""
    _broken: set[int] = field(default_factory=set)
    """Connections that have broken."""

    async def run(self) -> None:
        """Keep all connections up until cancelled."""
        places = await leaders(self.bootstrap, self.topic)
        async with trio.open_nursery() as nursery:
            for number in range(COUNT):
                nursery.start_soon(self._stand, number, places[number % len(places)][1])

    async def _stand(self, number: int, address: tuple[str, int]) -> None:
        while True:
            try:
                async with await trio.open_tcp_stream(*address) as stream:
                    self._ports[number] = stream.socket.getsockname()[1]
                    while True:
                        await ask(stream, hello())
                        await trio.sleep(_BEAT)
            except OSError:
                if self._ports.pop(number, None) is not None:
                    self._broken.add(number)
                await trio.sleep(_BEAT)

    async def kill_a_worker(self, clock: Callable[[], float]) -> Kill:
        """Kill -9 the worker with the most of these connections; return what came of it. Raises NoSentinelsError."""
        workers = tree(self.root)[1:]
        served: dict[int, set[int]] = {}
        for pid in workers:
            ends = {each.raddr.port for each in psutil.Process(pid).net_connections("tcp") if each.raddr}
            served[pid] = {number for number, port in self._ports.items() if port in ends}
        victim = max(served, key=lambda pid: len(served[pid]), default=0)
        others = set[int]().union(*(numbers for pid, numbers in served.items() if pid != victim))
        if not others:
            spread = ", ".join(f"{pid}: {len(numbers)}" for pid, numbers in served.items()) or "no workers"
            raise NoSentinelsError(f"expected connections at two workers at least; found {spread}")
        self._broken.clear()
        os.kill(victim, signal.SIGKILL)
        restarted = False
        with trio.move_on_after(_RESTART_SECONDS):
            while not restarted:
                await trio.sleep(_BEAT)
                now = tree(self.root)[1:]
                restarted = victim not in now and len(now) >= len(workers)
        await trio.sleep(4 * _BEAT)  # those that broke have noticed by now
        theirs = served[victim]
        broken, disturbed = len(theirs & self._broken), len(others & self._broken)
        return Kill(victim, len(theirs), broken, len(others), disturbed, restarted, over=clock())
