"""Kafka Streams: a topology that copies and counts, whose checks are about what it leaves in its topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import trio

from appliance.lab.jarlock import KAFKA_VERSION
from tests.matrix.checks import FEW, MANY, PARTITIONS, Scene, named
from tests.matrix.driver import Check, CheckFunction, Command
from tests.matrix.drivers.java import SOFTWARE, JavaProgram
from tests.matrix.running import PATIENCE, CheckFailedError, Running, expect
from tests.matrix.standing import Mode
from tests.matrix.tasks import GroupProtocol, Task, Verb

_COPIED, _COUNTED = "copied", "counted"


class KafkaStreams(JavaProgram):
    """`StreamsClient`, an application whose id is its group and begins the names of the topics that it writes."""

    name = "Kafka Streams"
    version = KAFKA_VERSION
    runs_forever = False
    stands_as = (Mode.STREAMS, Mode.STREAMS_GROUP, Mode.STREAMS_EXACTLY_ONCE)
    reads_of = "kafka-clients 4.3.1"
    rebootstraps_as = SOFTWARE
    leaves = (_COPIED, _COUNTED)
    remark = (
        "produce, group: copies a topic; commit: a new instance without local state goes on where the last one "
        "stopped, its counts restored; transactions: exactly_once_v2; admin: makes its changelog topic; KIP-848: "
        "the streams protocol (KIP-1071)"
    )
    cannot: Mapping[Check, str] = {Check.SHARE: "it reads in groups of its own kind"}

    def __init__(self) -> None:
        super().__init__("kafka-streams-4.3.1", ["Given.java", "StreamsClient.java"], 17)
        self.checks: Mapping[Check, CheckFunction] = {
            Check.PRODUCE: _copies,
            Check.GROUP: _copies,
            Check.COMMIT: _goes_on,
            Check.REBALANCE: _shares,
            Check.TRANSACTIONS: _exactly_once,
            Check.ADMIN: _makes_its_topics,
            Check.NEW_GROUP: _streams_group,
        }

    def command(self, task: Task, folder: Path) -> Command:
        return self.java("StreamsClient", *task.flags(), "--state", str(folder / "state"))


async def _prepared(scene: Scene, protocol: GroupProtocol = "classic", transactional_id: str = "") -> Task:
    topic = await scene.topic(named("v", MANY))
    for suffix in (_COPIED, _COUNTED):
        await scene.ask(scene.truth.create, f"{topic}-{suffix}", PARTITIONS)
    return Task(
        verb=Verb.CONSUME_FOREVER,
        access=scene.access,
        topic=topic,
        group=topic,
        protocol=protocol,
        transactional_id=transactional_id,
    )


async def _wait_copied(scene: Scene, count: int, *running: Running) -> None:
    """Wait until so many records have been copied; then each must be there once."""
    with trio.move_on_after(PATIENCE):
        while True:
            copied = await scene.ask(scene.truth.read, f"{scene.name}-{_COPIED}", committed=True)
            if len(copied) >= count:
                break
            for each in running:
                each.expect_alive()
            await trio.sleep(0.3)
        originals = await scene.ask(scene.truth.read, scene.name)
        expect((each.value for each in copied), (each.value for each in originals), "copied records")
        return
    raise CheckFailedError(f"{len(copied)} of {count} records copied: {running[0].last_words()}")


async def _copies(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene)) as streams:
        await _wait_copied(scene, MANY, streams)
        await streams.stop()
    expect(streams.values("delivered"), named("v", MANY), "delivered records")


async def _goes_on(scene: Scene) -> None:
    task = await _prepared(scene)
    async with scene.stage.running(task) as first:
        await _wait_copied(scene, MANY, first)
        await first.stop()
    # The same keys as before (`write` takes values for keys): their counts must go on, from the changelog.
    await scene.ask(scene.truth.write, scene.name, named("v", FEW), PARTITIONS)
    async with scene.stage.running(task) as second:
        await _wait_copied(scene, MANY + FEW, second)
        await second.stop()
    expect(second.values("delivered"), named("v", FEW), "records delivered to the second instance")
    highest = Counter(
        each.value for each in await scene.ask(scene.truth.read, f"{scene.name}-{_COUNTED}", committed=True)
    )
    if highest["2"] < FEW:
        raise CheckFailedError(
            f"expected {FEW} keys to be counted twice, found {highest['2']}: the state was not restored"
        )


async def _shares(scene: Scene) -> None:
    task = await _prepared(scene)
    async with scene.stage.running(task) as first:
        await _wait_copied(scene, MANY, first)
        async with scene.stage.running(task) as second:
            await scene.wait_members((PARTITIONS // 2, PARTITIONS // 2), "two instances with half each", first, second)
            await scene.ask(scene.truth.write, scene.name, named("both", FEW), PARTITIONS)
            await _wait_copied(scene, MANY + FEW, first, second)
            if not second.values("delivered"):
                raise CheckFailedError("the second instance had partitions and was delivered nothing")
            await second.stop()
        await scene.wait_members((PARTITIONS,), "the first instance alone again", first)
        await scene.ask(scene.truth.write, scene.name, named("again", FEW), PARTITIONS)
        await _wait_copied(scene, MANY + 2 * FEW, first)
        await first.stop()


async def _exactly_once(scene: Scene) -> None:
    task = await _prepared(scene, transactional_id="exactly-once")
    async with scene.stage.running(task) as streams:
        await _wait_copied(scene, MANY, streams)
        await streams.stop()
    ends = await scene.ask(scene.truth.ends, f"{scene.name}-{_COPIED}", PARTITIONS)
    if sum(ends.values()) <= MANY:
        raise CheckFailedError("the copies were not written in transactions: the log has no markers")


async def _makes_its_topics(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene)) as streams:
        await _wait_copied(scene, MANY, streams)
        await streams.stop()
    changelog = f"{scene.name}-counts-changelog"
    if (found := await scene.ask(scene.truth.partitions, changelog)) != PARTITIONS:
        raise CheckFailedError(f"expected {changelog} with {PARTITIONS} partitions, found {found}")


async def _streams_group(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene, protocol="consumer")) as streams:
        await _wait_copied(scene, MANY, streams)
        kind = await scene.ask(scene.truth.group_kind, scene.name)
        if kind != "streams":
            raise CheckFailedError(f"expected a group that the brokers call streams, found {kind}")
        await streams.stop()
