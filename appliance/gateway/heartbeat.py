"""Proof that the reactor turns: a beat that it has to notice, as it would a client's bytes.

A process can answer probes while its data path is stuck, as the reactor serves beside trio. So a task of trio's rings
an eventfd once a second, and the reactor notes when it heard it: silence means that one of the two gets no turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from appliance.gateway.reactor import READ, Reactor

_SECONDS = 1.0


class Heartbeat:
    """Of one reactor, by its clock where no other is given."""

    def __init__(self, reactor: Reactor, clock: Callable[[], float] | None = None) -> None:
        self._reactor = reactor
        self._clock = clock or reactor.clock
        self._heard_at = self._clock()

    @property
    def silence(self) -> float:
        """Seconds since the last beat; little more than one where all is well, and until it runs since it was made."""
        return self._clock() - self._heard_at

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beat until cancelled."""
        bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

        def heard(_: int) -> None:
            os.eventfd_read(bell)
            self._heard_at = self._clock()

        self._reactor.watch(bell, READ, heard)
        try:
            task_status.started()
            while True:
                os.eventfd_write(bell, 1)
                await trio.sleep(_SECONDS)
        finally:
            self._reactor.forget(bell)
            os.close(bell)
