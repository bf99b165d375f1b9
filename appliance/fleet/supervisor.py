"""Keeps the workers of a fleet: starts them, replaces those that end, ends all."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence

import trio

from appliance.control.edition import Edition
from appliance.fleet.errors import LinkBroken, WorkersFailError
from appliance.fleet.fleet import Fleet
from appliance.fleet.link import link_pair
from appliance.fleet.member import Member
from appliance.fleet.messages import Drain
from appliance.fleet.process import COMMAND, WorkerProcess, in_words
from appliance.gateway.doors import Doors
from appliance.gateway.errors import GatewayError, PortTaken
from appliance.gateway.snapshot import Door

STEADY_SECONDS = 10.0
"""A worker that has served for so long did not fail at its start."""
GIVE_UP_AFTER = 5
"""Failures in a row, where no worker is steady."""
SILENT_SECONDS = 10
"""A worker says something twice a second; one that is silent for so long does not serve any more."""
START_SECONDS = 60
_FAREWELL_SECONDS = 1.0
_MOST_PAUSE = 5.0

log = logging.getLogger("tidegate.fleet")


class Supervisor:
    """Runs `count` workers by `command`, which gets the descriptor of its link, its number and our pid as arguments."""

    def __init__(self, fleet: Fleet, count: int, *, command: Sequence[str] = COMMAND) -> None:
        self.fleet = fleet
        self._count = count
        self._command = command
        self._monotonic = trio.current_time
        self._opened = False
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether clients are served."""
        return self._opened and not self._draining and any(each.report is not None for each in self.fleet.alive)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the workers until cancelled; started when all of them have their doors open.

        Raises GatewayError where a door cannot be opened at the start, WorkersFailError when workers end again and
        again.
        """
        await refuse_taken_ports(self.fleet.edition)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_silence)
            for number in range(1, self._count + 1):
                nursery.start_soon(self._keep, number)
            while sum(each.report is not None for each in self.fleet.alive) < self._count:
                await self.fleet.wait_news()
            self._opened = True
            task_status.started()

    async def drain(self, seconds: float) -> None:
        """Let all workers take no more clients, let go of those that are there, and end.

        Who has not ended soon after so many seconds is killed.
        """
        self._draining = True
        for member in self.fleet.alive:
            if member.report is None:
                member.process.kill()
            else:
                member.tell(Drain(seconds=seconds))
        with trio.move_on_after(seconds + _FAREWELL_SECONDS):
            await self._until_all_ended()
        for member in self.fleet.alive:
            log.warning("worker %d (pid %d) has not let go of its clients in time", member.number, member.process.pid)
            member.process.kill()
        await self._until_all_ended()

    async def _until_all_ended(self) -> None:
        while self.fleet.alive:
            await self.fleet.wait_news()

    async def _keep(self, number: int) -> None:
        failures, restarts = 0, 0
        while not self._draining:
            member = self._start(number, restarts)
            reason, status = await self._live(member)
            if self._draining:
                return
            failures = 0 if self._steady(member) else failures + 1
            if reason is not None and not self._opened:
                raise GatewayError(reason)
            how = reason or in_words(status)
            if failures >= GIVE_UP_AFTER and not any(map(self._steady, self.fleet.alive)):
                raise WorkersFailError(
                    f"worker {number} ended {failures} times in a row before it had served for {STEADY_SECONDS:g} s, "
                    f"the last time with {how}, and no other worker serves: the log above has its last words"
                )
            pause = 0.0 if failures < 2 else min(_MOST_PAUSE, 0.1 * 2**failures)
            when = f" in {pause:g} s" if pause else ""
            log.error("worker %d (pid %d) ended: %s; another takes its place%s", number, member.process.pid, how, when)
            await trio.sleep(pause)
            restarts += 1

    def _start(self, number: int, restarts: int) -> Member:
        link, inherited = link_pair()
        with inherited:
            arguments = [str(inherited.fileno()), str(number), str(os.getpid())]
            process = WorkerProcess([*self._command, *arguments], inherited.fileno())
        member = Member(number, restarts, process, link, self._monotonic())
        self.fleet.join(member)
        log.debug("worker %d has pid %d", number, process.pid)
        return member

    async def _live(self, member: Member) -> tuple[str | None, int]:
        """Go along with a worker to its end; return what it said of it, and its exit status."""
        reason = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(member.speak)
                try:
                    reason = await self.fleet.listen(member)
                except LinkBroken as error:
                    log.error("worker %d (pid %d): %s", member.number, member.process.pid, error)
                    member.process.kill()
                nursery.cancel_scope.cancel()
            with trio.move_on_after(_FAREWELL_SECONDS):
                await member.process.wait()
        finally:
            member.close()
            status = await member.process.bury()
            self.fleet.lose(member)
        return reason, status

    async def _watch_silence(self) -> None:
        """Kill workers that say nothing. Counted in ticks: when this process was stopped, all have been silent long."""
        while True:
            await trio.sleep(1.0)
            for member in self.fleet.alive:
                member.silent += 1
                limit = START_SECONDS if member.report is None else SILENT_SECONDS
                if member.silent > limit:
                    log.error("worker %d (pid %d) has been silent for %d s", member.number, member.process.pid, limit)
                    member.process.kill()

    def _steady(self, member: Member) -> bool:
        return member.reported_at is not None and self._monotonic() - member.reported_at >= STEADY_SECONDS


async def refuse_taken_ports(edition: Edition) -> None:
    """Open and close all doors once, alone: workers share their ports, and could share them with a stranger's.

    Raises PortTaken.
    """
    try:
        async with trio.open_nursery() as nursery:
            doors = Doors(nursery, _nobody, lambda _: 0.0)
            try:
                for listener in edition.catalogue.listeners.values():
                    doors.open(Door(listener.name, listener.spec))
            finally:
                doors.close_all_but(())
    except* PortTaken as group:
        raise group.exceptions[0] from None  # opened in the nursery's own block: not nested any deeper


async def _nobody(_doors: Sequence[Door], _node_id: int | None, sock: socket.socket) -> None:
    sock.close()
