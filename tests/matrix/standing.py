"""Clients that live through something: started, left alone while others act on the gateway, asked afterwards.

    async with standing_clients(plans, access, folder) as clients:
        await clients.flowing()                      # everybody makes progress
        ...                                          # switch the cluster, kill a broker
        await clients.flowing()                      # everybody makes progress again
    clients.running[plan].events                     # all that each told, with times

A `Mode` is what one client is doing; which modes a client has is `modes_of(driver)`. Programs tell a record when the
library has acknowledged it (in transactions: when that is committed) or delivered it (a topology, a sink: when it gets
it), and every error that an application would see; values are unique (`NAME-N`), `at` is the machine's clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import trio

from tests.matrix.access import Access
from tests.matrix.driver import Check, Driver
from tests.matrix.running import PATIENCE, CheckFailedError, Running, Stage
from tests.matrix.tasks import Task, Verb
from tests.matrix.watching import Watch

PACE = 20
"""Milliseconds between the records of a producer."""
_LOOK = 0.1


class Mode(StrEnum):
    """What a client does while something happens."""

    PRODUCER = "producer"
    ONE_IN_FLIGHT = "producer, one request in flight"
    IDEMPOTENT = "idempotent producer"
    TRANSACTIONAL = "transactional producer"
    CLASSIC = "consumer, classic group"
    NEW_GROUP = "consumer, KIP-848 group"
    ASSIGNED = "consumer without a group"
    STREAMS = "streams application, classic group"
    STREAMS_GROUP = "streams application, streams group"
    STREAMS_EXACTLY_ONCE = "streams application, exactly once"
    SINK = "sink connector"

    @property
    def produces(self) -> bool:
        """Whether it writes; otherwise it reads."""
        return self in {Mode.PRODUCER, Mode.ONE_IN_FLIGHT, Mode.IDEMPOTENT, Mode.TRANSACTIONAL}

    @property
    def idempotent(self) -> bool:
        """Whether its library is told to be idempotent where it writes."""
        return self not in {Mode.PRODUCER, Mode.ONE_IN_FLIGHT}

    @property
    def in_group(self) -> bool:
        """Whether it reads as a member of a group."""
        return not self.produces and self is not Mode.ASSIGNED

    @property
    def progress(self) -> str:
        """The kind of event that tells that it goes on."""
        return "acked" if self.produces else "delivered"


OF_LIBRARIES = (
    Mode.PRODUCER,
    Mode.ONE_IN_FLIGHT,
    Mode.IDEMPOTENT,
    Mode.TRANSACTIONAL,
    Mode.CLASSIC,
    Mode.NEW_GROUP,
    Mode.ASSIGNED,
)
"""What an application does with a client library; the others are what is built on one."""


def modes_of(driver: Driver) -> list[Mode]:
    """Return what a client can be doing without end."""
    if not driver.runs_forever:
        return list(driver.stands_as)
    lacking = {*driver.falls_as, Mode.PRODUCER if driver.reverses else Mode.ONE_IN_FLIGHT}
    if not driver.idempotent:
        lacking.add(Mode.IDEMPOTENT)
    if not driver.assigns:
        lacking.add(Mode.ASSIGNED)
    if Check.TRANSACTIONS in driver.cannot:
        lacking.add(Mode.TRANSACTIONAL)
    if Check.NEW_GROUP in driver.cannot:
        lacking.add(Mode.NEW_GROUP)
    return [mode for mode in OF_LIBRARIES if mode not in lacking]


@dataclass(frozen=True)
class Plan:
    """One client in one mode, on topics that exist. `name` is unique: it names records, group and transactions."""

    driver: Driver
    mode: Mode
    topic: str
    name: str

    @property
    def group(self) -> str:
        """The group in which it reads; empty where it does not. Connect makes its sinks' names itself."""
        if not self.mode.in_group:
            return ""
        return f"connect-{self.name}" if self.mode is Mode.SINK else self.name

    @property
    def outputs(self) -> list[str]:
        """The topics that it writes as it reads."""
        return [f"{self.name}-{each}" for each in self.driver.leaves]

    def task(self, access: Access, pace: int) -> Task:
        """Return what the client is told."""
        return Task(
            verb=Verb.PRODUCE_FOREVER if self.mode.produces else Verb.CONSUME_FOREVER,
            access=access,
            topic=self.topic,
            prefix=self.name,
            pace=pace if self.mode.produces else 0,
            idempotent=self.mode.idempotent,
            in_flight=1 if self.mode is Mode.ONE_IN_FLIGHT else 0,
            transactional_id=self.name if self.mode in {Mode.TRANSACTIONAL, Mode.STREAMS_EXACTLY_ONCE} else "",
            group=self.group,
            protocol="consumer" if self.mode in {Mode.NEW_GROUP, Mode.STREAMS_GROUP} else "classic",
            isolation="read_committed",
            assign=self.mode is Mode.ASSIGNED,
        )


@dataclass(frozen=True)
class Standing:
    """Clients that run, and the eye on their sockets."""

    running: dict[Plan, Running]
    watch: Watch

    async def flowing(self, count: int = 10, of: Iterable[Plan] | None = None) -> None:
        """Wait until each client (`of`: of these) has gone on by so many records.

        Raises CheckFailedError with all that did not.
        """
        goals = {plan: self.told(plan) + count for plan in (self.running if of is None else of)}
        with trio.move_on_after(PATIENCE):
            while any(self.told(plan) < goal for plan, goal in goals.items()):
                for plan in goals:
                    self.running[plan].expect_alive()
                await trio.sleep(_LOOK)
            return
        late = [plan for plan, goal in goals.items() if self.told(plan) < goal]
        words = "; ".join(f"{plan.driver.name}, {plan.mode}: {self.running[plan].last_words()}" for plan in late)
        raise CheckFailedError(f"no progress in {PATIENCE:g} s: {words}")

    def told(self, plan: Plan) -> int:
        """Return how many records a client has told of, as written or as delivered."""
        return len(self.running[plan].values(plan.mode.progress))


@asynccontextmanager
async def standing_clients(
    plans: Sequence[Plan], access: Access, folder: Path, *, pace: int = PACE
) -> AsyncIterator[Standing]:
    """Run clients, prepared already, for the length of a block; then each is asked to leave, and killed if it stays.

    What they told can be read after the block. Raises CheckFailedError where one does not leave by itself.
    """
    watch = Watch()
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(watch.run)
        running = {}
        for number, plan in enumerate(plans):
            stage = Stage(plan.driver, folder / f"{number:02}-{plan.name}", watch)
            running[plan] = await stack.enter_async_context(
                stage.running(plan.task(access.by(plan.driver.mechanism), pace))
            )
        yield Standing(running, watch)
        await _leave(running)
        nursery.cancel_scope.cancel()


async def _leave(clients: Mapping[Plan, Running]) -> None:
    """Ask clients to leave, all at once."""
    failed: list[str] = []

    async def stop(plan: Plan, client: Running) -> None:
        try:
            await client.stop()
        except CheckFailedError as error:
            failed.append(f"{plan.name}: {error}")

    async with trio.open_nursery() as nursery:
        for plan, client in clients.items():
            nursery.start_soon(stop, plan, client)
    if failed:
        raise CheckFailedError("; ".join(failed))
