"""A worker: a gateway that serves by the editions that come over its link.

    python -m appliance.fleet.worker [--verbose] [--log-format text|json] [--drain SECONDS] LINK NUMBER SUPERVISOR

LINK is the descriptor of its end of the link, SUPERVISOR the pid of whoever has the other. It ends when it is told to
drain, by SIGTERM as if it had been told, and when the link breaks: its supervisor is dead, and nobody could steer it.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import socket
import sys
from functools import partial

import trio

from appliance.chaos.faults import arm
from appliance.control.armoury import Armoury, FaultCounts
from appliance.control.edition import Edition
from appliance.control.one_process import OneProcess
from appliance.control.snapshots import SnapshotMaker
from appliance.fleet.errors import LinkBroken
from appliance.fleet.link import Link
from appliance.fleet.messages import (
    Adopt,
    Ask,
    Begin,
    Count,
    Drain,
    Facts,
    Failed,
    Hello,
    Move,
    Moved,
    Report,
    Tidings,
    Word,
    encoded,
    order_from,
)
from appliance.fleet.ordinals import SharedOrdinal
from appliance.fleet.process import end_with
from appliance.gateway.errors import ClusterUnreachable, GatewayError
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.logs import LogFormat, write_logs
from appliance.gateway.server import Gateway
from appliance.policies.positions.members import News
from appliance.policies.positions.positions import Positions
from appliance.policies.standard import standard_interceptors

REPORT_SECONDS = 0.5
ORPHAN_SECONDS = 2.0
"""For a drain when the supervisor is dead."""
_LAPSE_GRACE = 1.0
"""Seconds for the supervisor to end a fault in time."""

log = logging.getLogger("tidegate.fleet")


class Worker:
    """Serves until it is told to end, or nobody is there to tell it.

    `drain`: seconds for one that SIGTERM asks for; `disguise`: see Begin.
    """

    def __init__(self, link: Link, drain: float, disguise: bytes) -> None:
        self._link = link
        self._drain = drain
        self._ordinals: dict[int, SharedOrdinal] = {}
        self._armoury = Armoury(arm, self._ordinals)
        feed = SnapshotFeed()
        self._maker = SnapshotMaker(
            standard_interceptors,
            self._armoury,
            shared_doors=True,
            disguise=disguise,
            positions=lambda name: Positions(trio.current_time, partial(self._hear, name)),
        )
        self._news: dict[str, list[News]] = {}
        self._gateway = Gateway(feed)
        self._served = OneProcess(self._gateway, feed, self._maker, trio.current_time)
        self._heard = 0
        self._told: dict[int, FaultCounts] = {}
        self._lapses: dict[int, float] = {}
        self._lapses_changed = trio.Event()
        self._words, self._spoken = trio.open_memory_channel[Word](math.inf)
        self._leave = trio.Event()
        self._opened = self._failed = False

    async def run(self) -> int:
        """Serve; return the exit status."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak)
            nursery.start_soon(self._heed_sigterm)
            nursery.start_soon(self._listen, nursery)
            await self._leave.wait()
            if self._opened:
                await self._served.drain(self._drain)
            nursery.cancel_scope.cancel()
        return 1 if self._failed else 0

    async def _listen(self, nursery: trio.Nursery) -> None:
        try:
            while (message := await self._link.receive()) is not None:
                await self._obey(*message, nursery)
        except LinkBroken as error:
            log.error("%s", error)
        self._end_within(min(self._drain, ORPHAN_SECONDS))

    async def _obey(self, payload: bytes, descriptor: int | None, nursery: trio.Nursery) -> None:
        match order_from(payload):
            case Count(arming=arming):
                assert descriptor is not None
                self._ordinals[arming] = SharedOrdinal(descriptor)
                os.close(descriptor)
            case Begin():
                raise LinkBroken("expected one Begin, found another")
            case Adopt(edition=edition):
                await self._adopt(edition, nursery)
            case Ask(number=number, measures=measures):
                self._heard = number
                self._report(measures=measures)
            case Tidings(news=news):
                for name, its in news.items():
                    self._maker.take(name, its)
            case Move() as move:
                nursery.start_soon(self._move, move)
            case Drain(seconds=seconds):
                self._end_within(seconds)

    async def _adopt(self, edition: Edition, nursery: trio.Nursery) -> None:
        first = self._served.edition.version == 0
        self._served.publish(edition)
        for arming in self._ordinals.keys() - {each.arming for each in edition.faults}:
            del self._ordinals[arming]
        now = trio.current_time()
        self._lapses = {each.arming: now + each.seconds_left + _LAPSE_GRACE for each in edition.faults}
        self._lapses_changed.set()
        if first:
            await self._open(nursery)
        if self._opened:
            self._report()

    async def _open(self, nursery: trio.Nursery) -> None:
        try:
            await nursery.start(self._served.serve)
        except* GatewayError as group:
            self._failed = True
            self._say(Failed(reason=_only(group)))
        if self._failed:
            return
        self._opened = True
        nursery.start_soon(self._report_over_and_over)
        nursery.start_soon(self._let_faults_lapse)

    async def _move(self, move: Move) -> None:
        try:
            connections = await self._served.move_clients(move.virtual_cluster, pause=move.pause)
        except ClusterUnreachable as error:
            self._say(Moved(number=move.number, error=str(error)))
        else:
            self._say(Moved(number=move.number, connections=connections))

    async def _let_faults_lapse(self) -> None:
        """End faults whose time is over though no edition says so: a supervisor that is stuck must not prolong them."""
        while True:
            self._lapses_changed = trio.Event()
            with trio.move_on_at(min(self._lapses.values(), default=math.inf)):
                await self._lapses_changed.wait()
                continue
            now = trio.current_time()
            edition = self._served.edition
            left = tuple(each for each in edition.faults if self._lapses[each.arming] > now)
            log.warning("faults are ended here whose time is over, as the supervisor does not say so")
            self._lapses = {each.arming: self._lapses[each.arming] for each in left}
            self._served.publish(edition.model_copy(update={"faults": left}))

    async def _report_over_and_over(self) -> None:
        while True:
            await trio.sleep(REPORT_SECONDS)
            if not self._words.statistics().current_buffer_used:
                self._tell_news()
                self._report()

    def _hear(self, virtual_cluster: str, news: News) -> None:
        """Keep what the other workers must know; they are told at once that somebody's Fetch need not wait any more."""
        self._news.setdefault(virtual_cluster, []).append(news)
        if news.what == "looked":
            self._tell_news()

    def _tell_news(self) -> None:
        if self._news:
            self._say(Tidings(news={name: tuple(its) for name, its in self._news.items()}))
            self._news = {}

    def _report(self, *, measures: bool = False) -> None:
        served, counts = self._served, self._armoury.counts()
        news = {arming: each for arming, each in counts.items() if each != self._told.get(arming)}
        self._told = counts
        self._say(
            Report(
                edition=served.edition.version,
                facts=Facts.of(served.facts()),
                writes={name: served.writes_in_flight(name) for name in served.edition.virtual_clusters},
                overdue={name: served.overdue_writes(name) for name in served.edition.virtual_clusters},
                held={
                    name: tuple(held) for name in served.edition.virtual_clusters if (held := served.held_fetches(name))
                },
                faults=news,
                answers=self._heard,
                silence=self._gateway.silence,
                measures=self._gateway.measures() if measures else None,
            )
        )

    def _say(self, word: Word) -> None:
        self._words.send_nowait(word)

    async def _speak(self) -> None:
        try:
            async for word in self._spoken:
                await self._link.send(encoded(word))
                if isinstance(word, Failed):
                    self._end_within(0)
        except OSError:
            return  # whoever listens hears of it too

    async def _heed_sigterm(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                self._end_within(self._drain)

    def _end_within(self, seconds: float) -> None:
        self._drain = seconds
        self._leave.set()


async def serve(link: Link, drain: float) -> int:
    """Say that a worker is here, and be it; return the exit status. Closes the link. Raises LinkBroken."""
    try:
        await link.send(encoded(Hello()))
        message = await link.receive()
        if message is None:
            return 0
        begin = order_from(message[0])
        if not isinstance(begin, Begin):
            raise LinkBroken(f"expected Begin, found {begin.kind}")
        return await Worker(link, drain, bytes.fromhex(begin.disguise)).run()
    finally:
        link.close()


def _only(group: BaseExceptionGroup[GatewayError]) -> str:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return str(found)


def main() -> int:
    """Run a worker as the arguments say; return its exit status."""
    parser = argparse.ArgumentParser(prog="appliance.fleet.worker", description="A worker; `tidegate serve` starts it.")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--log-format", type=LogFormat, default=LogFormat.TEXT)
    parser.add_argument("--drain", type=float, default=10.0)
    parser.add_argument("link", type=int)
    parser.add_argument("number", type=int)
    parser.add_argument("supervisor", type=int)
    options = parser.parse_args()
    write_logs(options.log_format, verbose=options.verbose, worker=options.number)
    if not end_with(options.supervisor):
        return 1
    return trio.run(_serve, socket.socket(fileno=options.link), options.drain)


async def _serve(sock: socket.socket, drain: float) -> int:
    return await serve(Link(sock), drain)


if __name__ == "__main__":
    sys.exit(main())
