"""The supervisor's end of one worker: what it was told, what it has said."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping

import trio

from appliance.control.armoury import FaultCounts
from appliance.control.datapath import WorkerFacts
from appliance.control.edition import Edition
from appliance.exchange.measures import Measures
from appliance.fleet.link import Link
from appliance.fleet.messages import Adopt, Begin, Count, Order, Report, Word, encoded, word_from
from appliance.fleet.ordinals import SharedOrdinal
from appliance.fleet.process import WorkerProcess


class Member:
    """One incarnation of a worker. `restarts`: how many it had before."""

    def __init__(self, number: int, restarts: int, process: WorkerProcess, link: Link, now: float) -> None:
        self.number = number
        self.restarts = restarts
        self.process = process
        self.alive = True
        self.sent = 0
        """Version of the last edition that it was sent; 0: none, it will be sent the newest."""
        self.report: Report | None = None
        self.measures = Measures()
        """As it last told them."""
        self.counts: dict[int, FaultCounts] = {}
        """What its faults have counted, by arming."""
        self.reported_at: float | None = None
        """When its doors were open for the first time."""
        self.silent = 0
        """Ticks of the supervisor's watch since it last said something."""
        self._link = link
        self._started_at = now
        self._listens = trio.Event()
        self._begin: Begin | None = None
        self._orders: deque[Order] = deque()
        self._edition: Edition | None = None
        self._ordinals: Mapping[int, SharedOrdinal] = {}
        self._ordinals_sent: set[int] = set()
        self._wanted = trio.Event()

    def adopt(self, edition: Edition, ordinals: Mapping[int, SharedOrdinal]) -> None:
        """Send this edition when its turn comes, and nothing older any more; `ordinals` as its faults need them."""
        self._edition, self._ordinals = edition, ordinals
        self._wanted.set()

    def tell(self, order: Order) -> None:
        """Send this order, after the editions that are under way."""
        self._orders.append(order)
        self._wanted.set()

    def begin(self, begin: Begin) -> None:
        """Note that the worker is there to take orders; this is the first."""
        self._begin = begin
        self._listens.set()

    def take(self, report: Report, now: float) -> None:
        """Take in what it reports."""
        self.report = report
        self.counts |= report.faults
        self.measures = report.measures or self.measures
        if self.reported_at is None:
            self.reported_at = now

    @property
    def edition(self) -> int:
        """Version of the edition in effect; 0: none yet."""
        return self.report.edition if self.report is not None else 0

    def facts(self, now: float) -> WorkerFacts:
        """Return how it fares."""
        if not self.alive:
            return WorkerFacts(self.number, None, 0, 0, 0.0, self.restarts)
        connections = self.report.facts.counted().total() if self.report is not None else 0
        uptime = now - self._started_at
        silence = max(float(self.silent), self.report.silence if self.report is not None else 0.0)
        return WorkerFacts(
            self.number, self.process.pid, self.edition, connections, uptime, self.restarts, silence=silence
        )

    async def speak(self) -> None:
        """Send what there is to send, until cancelled or the worker is gone."""
        await self._listens.wait()
        assert self._begin is not None
        try:
            await self._link.send(encoded(self._begin))
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                await self._send_edition()
                while self._orders:
                    await self._link.send(encoded(self._orders.popleft()))
        except OSError:
            return  # whoever listens hears of it too

    async def next_word(self) -> Word | None:
        """Return what the worker says next; None: it is gone. Raises LinkBroken."""
        message = await self._link.receive()
        if message is None:
            return None
        payload, descriptor = message
        if descriptor is not None:
            os.close(descriptor)
        self.silent = 0
        return word_from(payload)

    def close(self) -> None:
        """Let go of the link: the worker, if it still runs, will end."""
        self._link.close()

    async def _send_edition(self) -> None:
        edition, ordinals = self._edition, self._ordinals
        if edition is None or edition.version <= self.sent:
            return
        self.sent = edition.version
        for fault in edition.faults:
            ordinal = ordinals.get(fault.arming)
            if ordinal is not None and fault.arming not in self._ordinals_sent:
                await self._link.send(encoded(Count(arming=fault.arming)), ordinal.fileno())
                self._ordinals_sent.add(fault.arming)
        await self._link.send(encoded(Adopt(edition=edition)))
