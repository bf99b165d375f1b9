"""Waiting for the sockets of the data path, beside trio and not through it.

trio wakes a task for every event: an epoll_ctl, a round of the scheduler, the task's coroutine. On a round trip that is
paid twice, and it is most of what a gateway in Python adds. So the connections that carry traffic wait in an epoll set
of their own, and one trio task serves it: while there is traffic it asks that set directly, and calls what is ready.

trio is not starved: it gets its turn after `_TURN` at the latest, after `_SHORT_TURN` while some connection waits for
it (`Reactor.attentive`: to get in, for a timer, for the end of a fence), at once where a handler woke one of its tasks
(`Reactor.yield_soon`); and it waits for the set itself as soon as nothing has come for as long as a turn lasts. So
while bytes flow a request to the API or a new connection may come that much later, and when none flow nothing spins.

Each of trio's turns costs as much as half a request, most of it for code that the processor has forgotten meanwhile:
a turn each millisecond took a fifth of the CPU time of large writes.

Rejected: trio's guest mode (its I/O then hops through a thread), busy polling (it takes the cores from the brokers).
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP

_TURN = 0.01
"""Seconds that trio's tasks wait at the most while there is traffic."""
_SHORT_TURN = 0.001
"""The same while some connection waits for them; the shortest that epoll can be told."""

Handler = Callable[[int], None]
"""Called with the events that came. Must not raise, and must bear being called for nothing."""


class Reactor:
    """One per process. Sockets are watched level-triggered: what a handler leaves is told again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._trio_is_due = False
        self._waiting = 0
        self.now = self.clock()
        """When the events now being handled were found; the data path's clock, good to what one round takes."""

    clock = staticmethod(time.monotonic)
    """Returns the time now, in seconds of the monotonic clock."""

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Call `handler` when one of these events, or BROKEN, has come for this descriptor."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def change(self, fd: int, events: int) -> None:
        """Wait for other events; BROKEN always is one."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Watch this descriptor no longer. To be called before it is closed."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def yield_soon(self) -> None:
        """Give trio its turn after the events in hand: one of its tasks has been woken."""
        self._trio_is_due = True

    @contextmanager
    def attentive(self) -> Iterator[None]:
        """Give trio short turns for the length of a block, in which a connection waits for it."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @property
    def _turn(self) -> float:
        return _SHORT_TURN if self._waiting else _TURN

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        task_status.started()
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            await self._serve_while_there_is_traffic()

    def close(self) -> None:
        """Close the set; nothing is watched any more."""
        self._epoll.close()

    async def _serve_while_there_is_traffic(self) -> None:
        poll, handlers, clock = self._epoll.poll, self._handlers, self.clock
        turn_over = clock() + self._turn
        while ready := poll(self._turn):
            self.now = clock()
            for fd, events in ready:
                # A handler may have ended a connection whose events are still in this list.
                handler = handlers.get(fd)
                if handler is not None:
                    handler(events)
            if self._trio_is_due or self.now >= turn_over:
                self._trio_is_due = False
                await trio.lowlevel.checkpoint()
                turn_over = clock() + self._turn
