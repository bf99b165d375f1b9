"""Two clusters and MirrorMaker 2 between them, which can be turned round.

A mirror that is turned round must begin exactly where the new source began to write itself: copied from the beginning
the old records would come back as duplicates, and from its end those would be missing that were written since the
switch. Connect keeps the place of a source connector in a topic; there the beginnings are written before the first
start (what `alter offsets` of KIP-875 does for workers that run).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from appliance.lab import Cluster, ClusterPlan, Lab, LabError, LabPlan, ReplicationPlan, open_lab
from appliance.lab.java import Java
from appliance.lab.kafka_settings import mirrormaker_properties, render
from appliance.lab.replication import Replication
from appliance.lab.runners import ProcessRunner
from tests.matrix.drivers.console_tools import lab_java
from tests.matrix.truth import SECONDS, Truth

PARTITIONS = 3
EXPIRED = (3, 12, 300)
"""Records per partition that were gone before the mirror began: so much lower are the standby's offsets. With the small
ones a consumer that keeps its position is soon in range again, at a wrong place; with the large one it is out of it."""
_AT_ONCE = {"group.streams.initial.rebalance.delay.ms": "0"}
"""A new streams group does not wait for members that never come, as the lab's classic groups do not; by default it
waits for 3 s, of which its member hears 5 s after it has joined."""
_PLAN = LabPlan(
    (
        ClusterPlan("primary", properties=_AT_ONCE),
        ClusterPlan("standby", first_node_id=11, properties=_AT_ONCE),
    )
)


@dataclass(frozen=True)
class Place:
    """A partition of a topic."""

    topic: str
    partition: int


class Pair:
    """`primary` and `standby`, one broker each; the mirror copies from one to the other, or stands."""

    def __init__(self, lab: Lab, java: Java, folder: Path) -> None:
        self.versions = lab.versions
        self._lab = lab
        self._java = java
        self._folder = folder
        self._mirror: Replication | None = None
        self._turns = 0

    def cluster(self, name: str) -> Cluster:
        """Return one of them."""
        return self._lab.clusters[name]

    def truth(self, name: str) -> Truth:
        """Return who tells what one of them holds."""
        return Truth(",".join(self.cluster(name).bootstrap))

    async def prepare(self, topics: Iterable[str]) -> None:
        """Make topics on the primary whose first records are gone. To be called before the mirror begins."""
        for topic in topics:
            await self.cluster("primary").create_topic(topic, PARTITIONS)
            await trio.to_thread.run_sync(_expire, self.cluster("primary").bootstrap, topic)

    async def mirror(self, source: str, target: str, beginnings: Mapping[Place, int] | None = None) -> None:
        """Copy from one to the other and not the other way; return when records come through. Raises LabError.

        `beginnings`: the offsets of the source's first records that are to be copied, where they are not the first.
        """
        await self.stop_mirror()
        self._turns += 1
        if beginnings:
            await trio.to_thread.run_sync(_write_beginnings, self.cluster(target).bootstrap, source, beginnings)
        settings = self._folder / f"mm2-{self._turns}.properties"
        ends = self.cluster(source), self.cluster(target)
        settings.write_text(render(mirrormaker_properties(ReplicationPlan(source, target), *ends)))
        command = self._java.command("org.apache.kafka.connect.mirror.MirrorMaker", str(settings))
        runner = ProcessRunner(command, self._folder / f"mm2-{self._turns}.log")
        self._mirror = Replication("MirrorMaker 2", *ends, runner)
        await self._mirror.start()

    async def stop_mirror(self, *, kill: bool = False) -> None:
        """Copy no more."""
        if self._mirror is not None:
            await self._mirror.stop(kill=kill)
        self._mirror = None

    async def wait_topics(self, name: str, topics: Iterable[str]) -> None:
        """Wait until a cluster has topics with all their leaders. Raises LabError."""
        truth = self.truth(name)
        for topic in topics:
            with trio.move_on_after(SECONDS) as waiting:
                while await trio.to_thread.run_sync(truth.partitions, topic) < PARTITIONS:  # noqa: ASYNC110 - a cluster sets no event
                    await trio.sleep(0.2)
            if waiting.cancelled_caught:
                raise LabError(f"expected the mirror to make {topic} on {name}; it is not there after {SECONDS:g} s")


@asynccontextmanager
async def open_pair(folder: Path, progress: Callable[[str], None]) -> AsyncIterator[Pair]:
    """Run both clusters until the block ends; nothing is copied yet. Raises LabError, CannotPrepareError."""
    async with open_lab(_PLAN, kind="apache", directory=folder, progress=progress) as lab:
        pair = Pair(lab, await trio.to_thread.run_sync(lab_java, lambda _: None), folder)
        try:
            yield pair
        finally:
            with trio.CancelScope(shield=True):
                await pair.stop_mirror(kill=True)


def _expire(bootstrap: list[str], topic: str) -> None:
    settings = _settings(bootstrap)
    producer = Producer(settings)
    for partition, count in enumerate(EXPIRED):
        for _ in range(count):
            producer.produce(topic, "expired", partition=partition)
    if producer.flush(SECONDS):
        raise LabError(f"expected {topic} to take its first records; they were not acknowledged in {SECONDS:g} s")
    ends = [TopicPartition(topic, partition, count) for partition, count in enumerate(EXPIRED)]
    admin = AdminClient(settings)  # held: its answers die with it
    for future in admin.delete_records(ends).values():
        future.result(SECONDS)


def _write_beginnings(bootstrap: list[str], source: str, beginnings: Mapping[Place, int]) -> None:
    """Write the mirror's places: keys byte for byte as Connect's JSON converter writes them."""
    settings = _settings(bootstrap)
    topic = f"mm2-offsets.{source}.internal"
    admin = AdminClient(settings)
    if topic not in admin.list_topics(timeout=SECONDS).topics:
        _create_compacted(admin, topic)
    producer = Producer({**settings, "partitioner": "murmur2_random"})  # Java's: a key keeps its partition
    for place, first in beginnings.items():
        if first > 0:
            partition = {"cluster": source, "partition": place.partition, "topic": place.topic}
            key = json.dumps(["MirrorSourceConnector", partition], separators=(",", ":"))
            producer.produce(topic, json.dumps({"offset": first - 1}, separators=(",", ":")), key=key)
    if producer.flush(SECONDS):
        raise LabError(f"expected {topic} to take the mirror's places; they were not acknowledged in {SECONDS:g} s")


def _settings(bootstrap: list[str]) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": ",".join(bootstrap), "log_level": 0}


def _create_compacted(admin: AdminClient, topic: str) -> None:
    made = NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"})
    admin.create_topics([made])[topic].result(SECONDS)
