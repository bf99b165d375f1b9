"""What stands in the logs at the end: every partition, from its first record to its last.

Read around the gateway, from the cluster itself, by another implementation (librdkafka), without a group:
what the gateway believes is no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from appliance.drills.ledger import Stored
from appliance.drills.traffic.logbook import Clock
from appliance.drills.traffic.marks import digest_of, read_mark

_BATCH = 1000
_TURN_SECONDS = 0.5


class FinalReadError(Exception):
    """A cluster's log could not be read to its end; the message says how far."""


@dataclass(frozen=True)
class PartitionRead:
    """One partition's extent and how many of the run's records it has."""

    topic: str
    partition: int
    records: int
    start_offset: int
    end_offset: int


@dataclass
class LogRead:
    """What one cluster's log holds of this run."""

    cluster: str
    stored: list[Stored] = field(default_factory=list)
    partitions: list[PartitionRead] = field(default_factory=list)


async def read_log(
    *, cluster: str, bootstrap: str, topics: list[str], run: str, clock: Clock, seconds: float
) -> LogRead:
    """Read all partitions of the topics to their ends. Raises FinalReadError if `seconds` do not suffice."""
    reading = _Reading(cluster, run, clock, clock() + seconds)
    return await trio.to_thread.run_sync(reading.read, bootstrap, topics)


class _Reading:
    """The blocking half: one consumer, one pass."""

    def __init__(self, cluster: str, run: str, clock: Clock, deadline: float) -> None:
        self._cluster, self._run, self._clock, self._deadline = cluster, run, clock, deadline

    def read(self, bootstrap: str, topics: list[str]) -> LogRead:
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "tidegate-final-read",
                "client.id": "tidegate-final-read",
                "enable.auto.commit": "false",
                "isolation.level": "read_uncommitted",
                "enable.partition.eof": "true",
                "log_level": "2",
            }
        )
        try:
            return self._pass(consumer, topics)
        finally:
            consumer.close()

    def _pass(self, consumer: Consumer, topics: list[str]) -> LogRead:
        extents = self._extents(consumer, topics)
        read = LogRead(self._cluster)
        missing = {place for place, (low, high) in extents.items() if high > low}
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in missing])
        while missing:
            if self._clock() > self._deadline:
                raise FinalReadError(f"{self._cluster}: the end was not reached in time in {_places(missing)}")
            for message in consumer.consume(_BATCH, _TURN_SECONDS):
                error = message.error()
                if error is None:
                    self._keep(message, read)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                    missing.discard((message.topic() or "", message.partition() or 0))
                elif not error.retriable() and error.code() > 0:
                    raise FinalReadError(f"{self._cluster}: {error.name()}: {error.str()}")
        counts: dict[tuple[str, int], int] = dict.fromkeys(extents, 0)
        for row in read.stored:
            counts[row.topic, row.partition] += 1
        read.partitions = [
            PartitionRead(topic, partition, counts[topic, partition], low, high)
            for (topic, partition), (low, high) in sorted(extents.items())
        ]
        return read

    def _keep(self, message: Message, read: LogRead) -> None:
        value = message.value() or b""
        mark = read_mark(value)
        if mark is not None and mark.run == self._run:
            read.stored.append(
                Stored(
                    cluster=self._cluster,
                    topic=message.topic() or "",
                    partition=message.partition() or 0,
                    offset=message.offset() or 0,
                    id=mark.id,
                    digest=digest_of(value),
                )
            )

    def _extents(self, consumer: Consumer, topics: list[str]) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (topic, partition) -> (first, end) offset. A topic that the cluster lacks has no partitions."""
        while True:
            try:
                known = consumer.list_topics(timeout=2.0).topics
                places = [
                    (topic, partition) for topic in topics if topic in known for partition in known[topic].partitions
                ]
                return {
                    (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5.0)
                    for topic, partition in places
                }
            except KafkaException as error:
                if self._clock() > self._deadline:
                    name = error.args[0].name()
                    raise FinalReadError(f"{self._cluster}: no answer about its topics in time ({name})") from error


def _places(missing: set[tuple[str, int]]) -> str:
    return ", ".join(f"{topic}/{partition}" for topic, partition in sorted(missing))
