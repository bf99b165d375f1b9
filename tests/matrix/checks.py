"""The checks: what a client is asked to do, and what must be true of it afterwards.

Each is a statement about the client through the gateway, held against what the brokers say themselves. A check has
topics and groups of its own, so that one that fails spoils no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import trio

from tests.matrix.access import Access
from tests.matrix.driver import Check, CheckFunction
from tests.matrix.running import PATIENCE, CheckFailedError, Running, Stage, expect
from tests.matrix.tasks import GroupProtocol, Task, Verb
from tests.matrix.truth import Members, Truth

PARTITIONS = 6
MANY = 300
FEW = 60
_LOOK = 0.2

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Scene:
    """One check of one client: its processes, its way in, the brokers' own word, and names that nobody else has."""

    stage: Stage
    access: Access
    truth: Truth
    name: str
    """Of topics and groups; a suffix is added where a check needs several."""

    async def ask(self, question: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Ask the truth, in a thread."""
        return await trio.to_thread.run_sync(partial(question, *arguments, **named))

    async def topic(self, written: list[str]) -> str:
        """Make a topic that has these records, around the gateway."""
        await self.ask(self.truth.create, self.name, PARTITIONS)
        await self.ask(self.truth.write, self.name, written, PARTITIONS)
        return self.name

    async def wait_members(self, shares: tuple[int, ...], what: str, *clients: Running) -> Members:
        """Wait until the brokers say that the group's partitions are shared so. Raises CheckFailedError."""
        found = Members((), new_protocol=False)
        with trio.move_on_after(PATIENCE):
            while (found := await self.ask(self.truth.members, self.name)).shares != shares:
                for client in clients:
                    client.expect_alive()
                await trio.sleep(_LOOK)
            return found
        words = " | ".join(client.last_words() for client in clients)
        raise CheckFailedError(f"{what} expected, the members have {found.shares} partitions: {words}")


def named(prefix: str, count: int) -> list[str]:
    """Return the values that a program makes of a prefix."""
    return [f"{prefix}-{number}" for number in range(count)]


async def produce(scene: Scene) -> None:
    """All records are in the log, once each, and where the client was told that they are."""
    topic = await scene.topic([])
    client = await scene.stage.done(Task(verb=Verb.PRODUCE, access=scene.access, topic=topic, count=MANY))
    if refused := client.values("failed"):
        raise CheckFailedError(f"{len(refused)} records were refused ({refused[0]} first): {client.last_words()}")
    written = await scene.ask(scene.truth.read, topic)
    expect((each.value for each in written), named("v", MANY), "records in the log")
    if len({each.partition for each in written}) < 3:
        raise CheckFailedError("expected the keys to spread over partitions of all three brokers")
    if scene.stage.driver.tells_acknowledgements:
        acked = [event for event in client.events if event.event == "acked"]
        expect((each.value for each in acked), named("v", MANY), "acknowledged records")
        places = {each.value: each for each in written}
        for event in acked:
            place = places[event.value]
            if event.partition != place.partition or event.offset not in {place.offset, -1}:
                told = f"{event.partition}@{event.offset}"
                raise CheckFailedError(
                    f"{event.value} was said to be at {told} and is at {place.partition}@{place.offset}"
                )


async def group(scene: Scene) -> None:
    """A group of one reads every record once."""
    topic = await scene.topic(named("g", MANY))
    task = Task(verb=Verb.CONSUME, access=scene.access, topic=topic, group=topic, count=MANY)
    client = await scene.stage.done(task)
    expect(client.values("delivered"), named("g", MANY), "delivered records")


async def commit(scene: Scene) -> None:
    """Half of the records, a commit, an end; the next member goes on there; the places are at the log's ends."""
    topic = await scene.topic(named("c", MANY))
    half = Task(verb=Verb.CONSUME, access=scene.access, topic=topic, group=topic, count=MANY // 2)
    first = (await scene.stage.done(half)).values("delivered")
    committed = await scene.ask(scene.truth.committed, topic, topic)
    if sum(committed.values()) != MANY // 2:
        raise CheckFailedError(f"expected the places to be after {MANY // 2} records, found {committed}")
    second = (await scene.stage.done(half)).values("delivered")
    expect(first + second, named("c", MANY), "records of both members")
    committed, ends = (
        await scene.ask(scene.truth.committed, topic, topic),
        await scene.ask(scene.truth.ends, topic, PARTITIONS),
    )
    if committed != ends:
        raise CheckFailedError(f"expected the places to be at the ends {ends}, found {committed}")


async def rebalance(scene: Scene, protocol: GroupProtocol = "classic") -> None:
    """A second member takes half of the partitions and gives them back; what is written meanwhile is delivered."""
    topic = await scene.topic([])
    task = Task(verb=Verb.CONSUME_FOREVER, access=scene.access, topic=topic, group=topic, protocol=protocol)
    async with scene.stage.running(task) as first:
        alone = await scene.wait_members((PARTITIONS,), "one member with all partitions", first)
        if alone.new_protocol != (protocol == "consumer"):
            raise CheckFailedError(f"the brokers say that the group does not use the {protocol} protocol")
        await _more(scene, "alone", first)
        async with scene.stage.running(task) as second:
            half = (PARTITIONS // 2, PARTITIONS // 2)
            await scene.wait_members(half, "two members with half of the partitions each", first, second)
            await _more(scene, "both", first, second)
            if not [value for value in second.values("delivered") if value.startswith("both-")]:
                raise CheckFailedError("the second member had partitions and was delivered nothing")
            await second.stop()
        await scene.wait_members((PARTITIONS,), "the first member alone again", first)
        await _more(scene, "again", first)
        await first.stop()
    await scene.wait_members((), "an empty group")


async def _more(scene: Scene, prefix: str, *members: Running) -> None:
    """Write records and wait until the members have been delivered them all."""
    await scene.ask(scene.truth.write, scene.name, named(prefix, FEW), PARTITIONS)
    missing = set(named(prefix, FEW))
    with trio.move_on_after(PATIENCE):
        while missing:
            for member in members:
                member.expect_alive()
                missing -= set(member.values("delivered"))
            await trio.sleep(_LOOK)
        return
    words = " | ".join(member.last_words() for member in members)
    raise CheckFailedError(f"{len(missing)} of {FEW} records {prefix}-N were not delivered: {words}")


async def new_group(scene: Scene) -> None:
    """The same with the protocol of KIP-848, which the brokers confirm."""
    await rebalance(scene, "consumer")


async def transactions(scene: Scene) -> None:
    """What was aborted is in the log and no reader of committed records sees it; what was committed is seen."""
    topic = await scene.topic([])
    await scene.stage.done(
        Task(verb=Verb.TRANSACT, access=scene.access, topic=topic, transactional_id=topic, count=FEW, prefix="t")
    )
    wanted = named("t-committed", FEW)
    everything = [each.value for each in await scene.ask(scene.truth.read, topic)]
    if set(named("t-aborted", FEW)) - set(everything):
        raise CheckFailedError("the records of the aborted transaction never reached the log")
    expect(
        (each.value for each in await scene.ask(scene.truth.read, topic, committed=True)), wanted, "committed records"
    )
    reader = Task(
        verb=Verb.CONSUME, access=scene.access, topic=topic, group=topic, count=FEW, isolation="read_committed"
    )
    expect((await scene.stage.done(reader)).values("delivered"), wanted, "records that it reads as committed")


async def admin(scene: Scene) -> None:
    """A topic is made, described as it is, and deleted."""
    wanted = PARTITIONS - 1
    created = await scene.stage.done(Task(verb=Verb.CREATE, access=scene.access, topic=scene.name, partitions=wanted))
    described = [event.partitions for event in created.events if event.event == "created"]
    if described != [wanted]:
        raise CheckFailedError(f"expected it to describe {wanted} partitions, found {described}")
    if (found := await scene.ask(scene.truth.partitions, scene.name)) != wanted:
        raise CheckFailedError(f"expected the brokers to have {wanted} partitions, found {found}")
    await scene.stage.done(Task(verb=Verb.DELETE, access=scene.access, topic=scene.name))
    with trio.move_on_after(PATIENCE):
        while await scene.ask(scene.truth.partitions, scene.name):  # noqa: ASYNC110 - a cluster sets no event
            await trio.sleep(_LOOK)
        return
    raise CheckFailedError("the topic is still there")


async def share(scene: Scene) -> None:
    """A share group delivers all records; those that were accepted are not delivered to the next member."""
    await scene.ask(scene.truth.configure_group, scene.name, {"share.auto.offset.reset": "earliest"})
    topic = await scene.topic(named("first", FEW))
    task = Task(verb=Verb.SHARE, access=scene.access, topic=topic, group=topic, count=FEW)
    expect((await scene.stage.done(task)).values("delivered"), named("first", FEW), "delivered records")
    await scene.ask(scene.truth.write, topic, named("second", FEW), PARTITIONS)
    expect((await scene.stage.done(task)).values("delivered"), named("second", FEW), "records after those accepted")


CHECKS: Mapping[Check, CheckFunction] = {
    Check.PRODUCE: produce,
    Check.GROUP: group,
    Check.COMMIT: commit,
    Check.REBALANCE: rebalance,
    Check.TRANSACTIONS: transactions,
    Check.ADMIN: admin,
    Check.NEW_GROUP: new_group,
    Check.SHARE: share,
}
