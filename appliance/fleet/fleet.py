"""All workers as one data path."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import trio

from appliance.control.armoury import KEPT_AFTER_THE_END, FaultCounts
from appliance.control.datapath import ClusterView, WorkerFacts
from appliance.control.edition import Edition
from appliance.exchange.measures import Measures, merged
from appliance.exchange.route import Target
from appliance.fleet.member import Member
from appliance.fleet.merging import merged_counts, merged_facts
from appliance.fleet.messages import Ask, Begin, Failed, Hello, Move, Moved, Report, Tidings
from appliance.fleet.ordinals import SharedOrdinal
from appliance.gateway.client import open_client
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable
from appliance.gateway.server import GatewayFacts
from appliance.policies.positions.hold_fetch import Held

REFRESH_SECONDS = 1.0
_MOST_PAUSE = 0.2
_PAUSES = 0.8


class Fleet:
    """See DataPath. Holds what the workers report; `supervisor` keeps them.

    `monotonic` is a clock in seconds, `wall` gives Unix time; `disguise`: see Begin.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float], disguise: bytes) -> None:
        self.edition = Edition(version=0)
        self._monotonic = monotonic
        self._members: dict[int, Member] = {}
        """By number; a dead one until it is replaced."""
        self._ordinals: dict[int, SharedOrdinal] = {}
        self._left_behind: dict[int, FaultCounts] = {}
        """What dead workers had counted, by arming."""
        self._measured_before = Measures()
        """By workers that are dead."""
        self._numbers = itertools.count(1)
        self._moved: dict[int, Moved] = {}
        self._news = trio.Event()
        self._begin = Begin(disguise=disguise.hex())
        self._dialer = Dialer.made(wall)

    # -- for control

    def publish(self, edition: Edition) -> None:
        """See DataPath."""
        self.edition = edition
        counted = (each for each in edition.faults if each.spec.trigger.counts)
        self._ordinals = {each.arming: self._ordinals.get(each.arming) or SharedOrdinal.make() for each in counted}
        for member in self.alive:
            member.adopt(edition, self._ordinals)

    async def in_effect(self, version: int) -> None:
        """See DataPath. A worker that was sent nothing yet will be sent the newest edition, before it opens a door."""
        while any(each.sent and each.edition < version for each in self.alive):
            await self._news.wait()
        await trio.lowlevel.checkpoint()

    async def refresh(self) -> None:
        """See DataPath."""
        await self._ask(measures=False)

    async def measures(self) -> Measures:
        """See DataPath. Of a worker that was killed, what it counted since it was last asked is not known."""
        await self._ask(measures=True)
        return merged([self._measured_before, *(each.measures for each in self.alive)])

    async def _ask(self, *, measures: bool) -> None:
        number = next(self._numbers)
        asked = [each for each in self.alive if each.report is not None]
        for member in asked:
            member.tell(Ask(number=number, measures=measures))
        with trio.move_on_after(REFRESH_SECONDS):
            while any(each.alive and each.report is not None and each.report.answers < number for each in asked):
                await self._news.wait()

    def facts(self) -> GatewayFacts:
        """See DataPath."""
        return merged_facts(self._reports)

    def writes_in_flight(self, virtual_cluster: str) -> int:
        """See DataPath. A dead worker has none; one that does not answer has what it last said."""
        return sum(each.writes.get(virtual_cluster, 0) for each in self._reports)

    def overdue_writes(self, virtual_cluster: str) -> int:
        """See DataPath. A dead worker has none; one that does not answer has what it last said."""
        return sum(each.overdue.get(virtual_cluster, 0) for each in self._reports)

    def held_fetches(self, virtual_cluster: str) -> list[Held]:
        """See DataPath."""
        return [held for each in self._reports for held in each.held.get(virtual_cluster, ())]

    def fault_counts(self, arming: int) -> FaultCounts:
        """See DataPath. Of a worker that was killed, what it counted in its last half second is not known."""
        counts = [each.counts[arming] for each in self.alive if arming in each.counts]
        return merged_counts([self._left_behind.get(arming, FaultCounts()), *counts])

    def workers(self) -> tuple[WorkerFacts, ...]:
        """See DataPath."""
        now = self._monotonic()
        return tuple(self._members[number].facts(now) for number in sorted(self._members))

    async def move_clients(self, virtual_cluster: str) -> int:
        """See DataPath. One worker after the other, as a client has connections to several: so the pauses between
        nodes hold for it too. With many workers they are shorter, or writes would be held for as long."""
        members = [each for each in self.alive if each.report is not None]
        pause = min(_MOST_PAUSE, _PAUSES / max(1, len(members)))
        moved, errors = 0, []
        for member in members:
            answer = await self._move(member, virtual_cluster, pause)
            moved += answer.connections
            if answer.error is not None:
                errors.append(answer.error)
            await trio.sleep(pause if answer.connections else 0)
        if errors:
            raise ClusterUnreachable(errors[0])
        return moved

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterView]:
        """See DataPath: control's clients are the supervisor's own."""
        return open_client(target, self._dialer)

    # -- for the supervisor

    @property
    def alive(self) -> list[Member]:
        """The workers that run, also those that have not opened their doors yet."""
        return [each for each in self._members.values() if each.alive]

    def join(self, member: Member) -> None:
        """Take a worker in; it is sent the edition of the moment when it is there to take it."""
        self._members[member.number] = member
        self._tell_news()

    def lose(self, member: Member) -> None:
        """Note that a worker is dead."""
        member.alive = False
        self._measured_before = merged([self._measured_before, member.measures.without_gauges()])
        for arming, counts in member.counts.items():
            before = self._left_behind.get(arming, FaultCounts())
            self._left_behind[arming] = merged_counts([before, counts])
        for arming in sorted(self._left_behind)[: -KEPT_AFTER_THE_END - len(self.edition.faults)]:
            del self._left_behind[arming]
        self._tell_news()

    async def listen(self, member: Member) -> str | None:
        """Take in what a worker says until it is gone; return why it gave up, if it said so. Raises LinkBroken."""
        while (word := await member.next_word()) is not None:
            match word:
                case Hello():
                    member.adopt(self.edition, self._ordinals)
                    member.begin(self._begin)
                case Report():
                    member.take(word, self._monotonic())
                case Moved():
                    self._moved[word.number] = word
                case Tidings():
                    for other in self.alive:
                        if other is not member:
                            other.tell(word)
                case Failed():
                    return word.reason
            self._tell_news()
        return None

    async def wait_news(self) -> None:
        """Wait until a worker comes, goes or says something."""
        await self._news.wait()

    # --

    @property
    def _reports(self) -> list[Report]:
        return [each.report for each in self.alive if each.report is not None]

    async def _move(self, member: Member, virtual_cluster: str, pause: float) -> Moved:
        number = next(self._numbers)
        member.tell(Move(number=number, virtual_cluster=virtual_cluster, pause=pause))
        while number not in self._moved:
            if not member.alive:  # its connections broke with it
                return Moved(number=number)
            await self._news.wait()
        return self._moved.pop(number)

    def _tell_news(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()
