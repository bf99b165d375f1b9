"""One run of some clients: started, switched beneath, and everything taken down.

With the remedies on the same processes live through all of it: a planned switch, the way back when the mirror has been
turned round, and the loss of the cluster that serves. A plain switch kills some of them, so there each switch has
clients of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trio

from appliance.lab.ports import PortLeases
from appliance.remote.answers import SwitchoverMode
from appliance.remote.errors import RemoteError
from tests.matrix.driver import Driver
from tests.matrix.running import CheckFailedError
from tests.matrix.standing import Mode, Plan, Standing, modes_of, standing_clients
from tests.switching.acts import Account, Act, ActName, Logs
from tests.switching.front import Front, NoSwitchError, Remedies, open_front, seconds_of
from tests.switching.logs import read_logs
from tests.switching.pair import Pair, open_pair

PACE = 50
"""Milliseconds between the records of a producer."""
CALM_SECONDS = 6.0
"""Before a switch, to know what is usual; and after it, when everybody is back, to call that stable."""
BACK_SECONDS = 30.0
"""For how long those that are not back are waited for."""
UNREPLICATED_SECONDS = 1.0
"""How long the mirror stands before its source is lost: so much must be lost, and must be found to be."""
_READ_SECONDS = 10.0
_SESSION_SECONDS = 75.0
"""Members that were moved are missed by their old group after 45 s in most libraries."""
_SYNC_SECONDS = 3.0
_TRIES = 3
_LOOK = 0.1


@dataclass(frozen=True)
class Play:
    """What some clients are to live through."""

    drivers: Sequence[Driver]
    remedies: Remedies
    acts: Sequence[ActName]
    tell: Callable[[str], None]


@dataclass
class Record:
    """What came of it."""

    accounts: list[Account] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    versions: Mapping[str, str] = field(default_factory=dict)
    spoiled: list[str] = field(default_factory=list)
    stayed: list[str] = field(default_factory=list)
    """Clients that did not leave when they were asked to at the end."""
    complaints: list[str] = field(default_factory=list)
    rebootstraps: int = 0
    """How often a client was told to start over."""


def plans_of(drivers: Iterable[Driver]) -> list[Plan]:
    """Return everything that clients can be doing. Transactions have a topic of their own: their markers make the
    offsets of both sides differ by more and more."""
    plans = []
    for driver in drivers:
        stem, written = _stem(driver.name), _stem(driver.reads_of or driver.name)
        for number, mode in enumerate(modes_of(driver)):
            topic = f"{written}-transactions" if mode is Mode.TRANSACTIONAL else written
            plans.append(Plan(driver, mode, topic, f"{stem}-{number}"))
    return plans


def _stem(client: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", client.lower()))


async def played(play: Play, folder: Path, ports: PortLeases) -> Record:
    """Run it. Raises LabError, NoWayError; what goes wrong later is in the record."""
    record = Record()
    plans = plans_of(play.drivers)
    topics = sorted({plan.topic for plan in plans})
    made = [*topics, *(output for plan in plans for output in plan.outputs)]
    told = {driver.rebootstraps_as for driver in play.drivers if play.remedies == "rebootstrap"} - {""}
    async with (
        open_pair(folder / "lab", play.tell) as pair,
        open_front(pair, play.remedies, ports, folder / "gateway", told=sorted(told)) as front,
    ):
        record.versions = pair.versions
        play.tell("making topics whose first records are gone; starting the mirror")
        await pair.prepare(made)
        await pair.mirror("primary", "standby")
        await pair.wait_topics("standby", made)
        play.tell(f"starting {len(plans)} clients")
        try:
            async with standing_clients(plans, front.access, folder / "clients", pace=PACE) as standing:
                stage = _Stage(play, record, pair, front, standing, topics)
                await stage.everything()
                record.accounts = [_account(plan, standing) for plan in plans]
        except* CheckFailedError as errors:
            at_fault = record.stayed if record.accounts else record.spoiled  # all was told before they were to leave
            at_fault += [str(each) for each in errors.exceptions]
        record.complaints = front.way.complaints
        if told:
            record.rebootstraps = await front.rebootstraps()
    return record


def _account(plan: Plan, standing: Standing) -> Account:
    driver, events = plan.driver, list(standing.running[plan].events)
    return Account(driver.name, driver.version, plan.name, plan.mode, plan.topic, events)


@dataclass
class _Stage:
    play: Play
    record: Record
    pair: Pair
    front: Front
    standing: Standing
    topics: Sequence[str]
    _begins: float = 0.0

    async def everything(self) -> None:
        """Play all acts; one that does not take place ends it."""
        try:
            await self.standing.flowing()
        except CheckFailedError as error:
            self.record.spoiled.append(f"{self._title()}, at the start: {error}")
        for number, name in enumerate(self.play.acts):
            source, target = ("standby", "primary") if name == "failback" else ("primary", "standby")
            if number:
                await self._turn_round(source, target)
            self._begins = _now()
            self._tell(name, "all clients at work")
            await trio.sleep(CALM_SECONDS)
            try:
                act = await (self._lost(source, target) if name == "unplanned" else self._left(name, source, target))
            except (NoSwitchError, RemoteError) as error:
                self.record.spoiled.append(f"{self._title(name)}: {error}")
                return
            self.record.acts.append(act)

    async def _left(self, name: ActName, source: str, target: str) -> Act:
        """Switch as planned."""
        entered = await self._switch(target, "planned")
        await self._watch(name)
        ends = _now()
        serving, left = await self._logs(target), await self._logs(source)
        return Act(
            name=name,
            begins=self._begins,
            ending=entered["transactions"],
            touched=entered["fence"],
            switched=entered["switch"],
            ends=ends,
            settled=await self._settled(serving),
            serving=serving,
            left=left,
            committed=await self._committed(source),
            ended=self._ended(),
        )

    async def _lost(self, source: str, target: str) -> Act:
        """Lose the source, and with it what the mirror had not carried."""
        await self.pair.stop_mirror(kill=True)
        await trio.sleep(UNREPLICATED_SECONDS)
        touched = _now()
        await self.pair.cluster(source).kill()
        entered = await self._switch(target, "unplanned")
        await self._watch("unplanned")
        ends = _now()
        serving = await self._logs(target)
        settled = await self._settled(serving)
        await self.pair.cluster(source).start()  # to see what it has
        await _ask(self.pair.truth(source).wait_ends)
        left = await self._logs(source)
        return Act(
            name="unplanned",
            begins=self._begins,
            ending=touched,
            touched=touched,
            switched=entered["switch"],
            ends=ends,
            settled=settled,
            serving=serving,
            left=left,
            committed=await self._committed(source),
            ended=self._ended(),
        )

    async def _switch(self, target: str, mode: SwitchoverMode) -> dict[str, float]:
        """Switch; one that was rolled back changed nothing and is tried again, as an operator would, and told."""
        for _ in range(_TRIES - 1):
            try:
                return seconds_of(await self.front.switch(target, mode))
            except NoSwitchError as error:
                self.record.spoiled.append(f"{self._title()}: {error}")
                await trio.sleep(CALM_SECONDS)
                self._begins = _now() - CALM_SECONDS
        return seconds_of(await self.front.switch(target, mode))

    def _ended(self) -> dict[str, str]:
        running = {plan.name: client for plan, client in self.standing.running.items()}
        return {
            name: f"its process ended with status {client.process.returncode}: {client.last_words()}"
            for name, client in running.items()
            if client.process.returncode is not None
        }

    async def _watch(self, name: ActName) -> None:
        """Wait until everybody is back and has been for a while, or for as long as they are waited for."""
        goals = {plan: self.standing.told(plan) + 10 for plan in self.standing.running}
        with trio.move_on_after(BACK_SECONDS):
            while late := [plan for plan, goal in goals.items() if self.standing.told(plan) < goal]:
                self._tell(name, f"{len(goals) - len(late)} of {len(goals)} clients are back")
                await trio.sleep(_LOOK)
        self._tell(name, "watching whether it stays so")
        await trio.sleep(CALM_SECONDS)

    async def _settled(self, serving: Logs) -> float:
        """Give readers time to come to what is in the logs; return when that was over."""
        there = {topic: {each.value for each in written} for topic, written in serving.items()}
        readers = [plan for plan in self.standing.running if not plan.mode.produces]
        with trio.move_on_after(_READ_SECONDS):
            while any(there[plan.topic] - set(self.standing.running[plan].values("delivered")) for plan in readers):  # noqa: ASYNC110
                await trio.sleep(_LOOK)  # files set no event
        return _now()

    async def _turn_round(self, source: str, target: str) -> None:
        """Let records flow the other way, and wait until groups' offsets can."""
        title = f"{source} to {target}"
        self.play.tell(f"{self._title()}: turning the mirror round, {title}")
        await self.pair.stop_mirror()
        await self.pair.mirror(source, target, self.front.beginnings())
        self.play.tell(f"{self._title()}: waiting for {target} to miss the groups' members")
        truth = self.pair.truth(target)
        groups = [plan.group for plan in self.standing.running if plan.mode.in_group]
        with trio.move_on_after(_SESSION_SECONDS):
            for group in groups:
                while (await _ask(truth.members, group)).shares:  # noqa: ASYNC110 - a cluster sets no event
                    await trio.sleep(1)
        await trio.sleep(_SYNC_SECONDS)

    async def _logs(self, name: str) -> Logs:
        return await _ask(read_logs, self.pair.cluster(name).bootstrap, self.topics)

    async def _committed(self, name: str) -> dict[str, dict[int, int]]:
        truth = self.pair.truth(name)
        members = [plan for plan in self.standing.running if plan.mode.in_group]
        return {plan.name: await _ask(truth.committed, plan.group, plan.topic) for plan in members}

    def _tell(self, name: ActName, text: str) -> None:
        self.play.tell(f"{self._title(name)}: {text}")

    def _title(self, name: str = "") -> str:
        languages = "/".join(dict.fromkeys(driver.language for driver in self.play.drivers))
        return ", ".join(filter(None, [languages, f"remedies {self.play.remedies}", name]))


_ask = trio.to_thread.run_sync


def _now() -> float:
    """Return the machine's clock, which the clients' programs read too."""
    return datetime.now(UTC).timestamp()
