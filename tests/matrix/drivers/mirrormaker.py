"""MirrorMaker 2, and with it Kafka Connect: the gateway is both of its clusters, to be read and to be written.

What it copies from `a` to `b` gets the name `a.TOPIC` (its default policy), in the same brokers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import trio

from appliance.lab.jarlock import KAFKA_VERSION
from appliance.lab.java import Java
from appliance.lab.kafka_settings import render
from tests.matrix.checks import FEW, MANY, PARTITIONS, Scene, named
from tests.matrix.driver import Check, CheckFunction, Command, Driver, Progress
from tests.matrix.drivers.console_tools import QUIET, lab_java
from tests.matrix.running import CheckFailedError, Running, expect
from tests.matrix.tasks import Task, Verb

_LOOK = 0.5
PATIENCE = 150.0
"""Seconds: a worker takes ten to be ready on an idle machine, and more than a minute where others are at work."""


class MirrorMaker(Driver):
    """`connect-mirror-maker` in its dedicated mode: Connect workers, a source connector, checkpoints."""

    name = "MirrorMaker 2 (Connect)"
    language = "Java"
    version = KAFKA_VERSION
    runs_forever = False
    why_not_standing = (
        "it tells nothing of what it copies; it carries the records of every switch here, and Kafka Connect, whose "
        "workers it runs, has a row with a sink"
    )
    remark = (
        "both of its clusters are the gateway; produce: copies a topic; commit: a new worker goes on where the "
        "last one stopped; rebalance: a second worker joins and leaves; transactions: exactly-once source connectors; "
        "admin: makes the copy's topic and its own"
    )
    cannot: Mapping[Check, str] = {
        Check.GROUP: "Connect assigns partitions to its consumers itself",
        Check.NEW_GROUP: "Connect's workers have a protocol of their own",
        Check.SHARE: "it has no share groups",
    }

    def __init__(self) -> None:
        self._java: Java | None = None
        self.checks: Mapping[Check, CheckFunction] = {
            Check.PRODUCE: _copies,
            Check.COMMIT: _goes_on,
            Check.REBALANCE: _shares,
            Check.TRANSACTIONS: _exactly_once,
            Check.ADMIN: _makes_topics,
        }

    def prepare(self, progress: Progress) -> None:
        self._java = lab_java(progress)

    def command(self, task: Task, folder: Path) -> Command:
        assert self._java is not None, "prepare() comes first"
        settings = folder / "mm2.properties"
        settings.touch(mode=0o600)
        settings.write_text(render(_settings(task)), encoding="utf-8")
        return Command(
            tuple(self._java.command("org.apache.kafka.connect.mirror.MirrorMaker", str(settings))), None, QUIET
        )


def _settings(task: Task) -> dict[str, str]:
    exactly_once = bool(task.transactional_id)
    # Workers that know nothing of each other are told apart by their alias: it names their group and internal topics.
    source, target = f"{task.group}-a", f"{task.group}-b"
    return {
        "clusters": f"{source},{target}",
        f"{source}.bootstrap.servers": task.access.bootstrap,
        f"{target}.bootstrap.servers": task.access.bootstrap,
        **task.access.java(f"{source}."),
        **task.access.java(f"{target}."),
        f"{source}->{target}.enabled": "true",
        f"{target}->{source}.enabled": "false",
        f"{source}->{target}.topics": task.topic.replace(".", "[.]"),
        "groups": "none",
        "emit.heartbeats.enabled": "false",
        "emit.checkpoints.interval.seconds": "5",
        "checkpoints.topic.replication.factor": "3",
        "sync.topic.acls.enabled": "false",
        "refresh.topics.interval.seconds": "1",
        "offset.flush.interval.ms": "1000",
        "replication.factor": "3",
        "offset-syncs.topic.replication.factor": "3",
        "config.storage.replication.factor": "3",
        "offset.storage.replication.factor": "3",
        "status.storage.replication.factor": "3",
        "offset.storage.partitions": "1",
        "status.storage.partitions": "1",
        "tasks.max": "2",
        # A worker that was asked to leave may come back: five minutes are granted to it by default.
        f"{target}.scheduled.rebalance.max.delay.ms": "0",
        # Workers forward to their leader, and exactly-once needs that: a port of its own on the loopback.
        "dedicated.mode.enable.internal.rest": "true",
        "listeners": "http://127.0.0.1:0",
        f"{target}.exactly.once.source.support": "enabled" if exactly_once else "disabled",
    }


async def _prepared(scene: Scene, transactional_id: str = "") -> Task:
    topic = await scene.topic(named("v", MANY))
    return Task(
        verb=Verb.CONSUME_FOREVER, access=scene.access, topic=topic, group=topic, transactional_id=transactional_id
    )


def _copy_of(scene: Scene) -> str:
    return f"{scene.name}-a.{scene.name}"


async def _wait_copied(scene: Scene, count: int, *workers: Running) -> None:
    """Wait until so many records have been copied; then each must be there once."""
    copied: list[str] = []
    with trio.move_on_after(PATIENCE):
        while len(copied) < count:
            for worker in workers:
                worker.expect_alive()
            await trio.sleep(_LOOK)
            if await scene.ask(scene.truth.partitions, _copy_of(scene)) == PARTITIONS:
                copied = [each.value for each in await scene.ask(scene.truth.read, _copy_of(scene), committed=True)]
        originals = await scene.ask(scene.truth.read, scene.name)
        expect(copied, (each.value for each in originals), "copied records")
        return
    raise CheckFailedError(f"{len(copied)} of {count} records copied: {workers[0].last_words()}")


async def _copies(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene)) as worker:
        await _wait_copied(scene, MANY, worker)
        await worker.stop()


async def _goes_on(scene: Scene) -> None:
    task = await _prepared(scene)
    for prefix, count in (("first", MANY), ("second", MANY + FEW)):
        async with scene.stage.running(task) as worker:
            await _wait_copied(scene, count, worker)
            await worker.stop()
        await scene.ask(scene.truth.write, scene.name, named(prefix, FEW), PARTITIONS)


async def _shares(scene: Scene) -> None:
    task = await _prepared(scene)
    group = f"{scene.name}-a-mm2"
    async with scene.stage.running(task) as first:
        await _wait_copied(scene, MANY, first)
        async with scene.stage.running(task) as second:
            await _wait_workers(scene, group, 2, first, second)
            await scene.ask(scene.truth.write, scene.name, named("both", FEW), PARTITIONS)
            await _wait_copied(scene, MANY + FEW, first, second)
            await second.stop()
        await _wait_workers(scene, group, 1, first)
        await scene.ask(scene.truth.write, scene.name, named("again", FEW), PARTITIONS)
        await _wait_copied(scene, MANY + 2 * FEW, first)
        await first.stop()


async def _wait_workers(scene: Scene, group: str, count: int, *workers: Running) -> None:
    found = 0
    with trio.move_on_after(PATIENCE):
        while (found := await scene.ask(scene.truth.workers, group)) != count:
            for worker in workers:
                worker.expect_alive()
            await trio.sleep(_LOOK)
        return
    raise CheckFailedError(f"{count} workers expected in {group}, found {found}")


async def _exactly_once(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene, transactional_id="exactly-once")) as worker:
        await _wait_copied(scene, MANY, worker)
        await worker.stop()
    ends = await scene.ask(scene.truth.ends, _copy_of(scene), PARTITIONS)
    if sum(ends.values()) <= MANY:
        raise CheckFailedError("the copies were not written in transactions: the log has no markers")


async def _makes_topics(scene: Scene) -> None:
    async with scene.stage.running(await _prepared(scene)) as worker:
        await _wait_copied(scene, MANY, worker)
        await worker.stop()
    for topic in (f"mm2-offsets.{scene.name}-a.internal", f"mm2-status.{scene.name}-a.internal"):
        if not await scene.ask(scene.truth.partitions, topic):
            raise CheckFailedError(f"expected it to have made {topic}")
