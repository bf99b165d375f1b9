"""The embedded lab's replication: a plain copy of records from one cluster to another.

Run as `python -m appliance.lab.mirroring SOURCE TARGET PATTERN POSITIONS` under a guardian, so that it can be
killed as MirrorMaker can. It keeps partition, key, value, headers and timestamp, creates missing topics with as
many partitions as the source's, and knows nothing of groups' offsets. POSITIONS is a JSON file in which it notes
what the target has acknowledged: killed, it copies some records twice afterwards and loses none.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from time import monotonic

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from appliance.lab.admin import client_settings

_ROUND = 0.1
"""Seconds to wait for records."""
_LOOK = 0.5
"""Seconds between looks for new topics."""
_BATCH = 1000
_ANSWER = 5.0


class Mirror:
    """Copies until told to end. Positions are the next offset to read, by topic and partition."""

    def __init__(self, source: list[str], target: list[str], pattern: str, positions: Path) -> None:
        self._wanted = re.compile(pattern)
        self._source = AdminClient(client_settings(source))
        self._target = AdminClient(client_settings(target))
        # A group id is obligatory, and never used: the partitions are assigned, the positions ours.
        never_a_member = {"group.id": "tidegate-lab", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        self._consumer = Consumer({**client_settings(source), **never_a_member})
        # One record a batch: of larger ones the embedded broker reports end offsets that are too low, and whoever waits
        # for the two clusters' ends to meet would wait for ever.
        one_by_one = {"linger.ms": 0, "batch.num.messages": 1}
        self._producer = Producer({**client_settings(target), **one_by_one, "message.timeout.ms": 30_000})
        self._file = positions
        self._positions: dict[str, dict[str, int]] = json.loads(positions.read_text()) if positions.exists() else {}
        self._assigned: set[tuple[str, int]] = set()
        self.ending = False

    def run(self) -> None:
        """Copy until `ending` is set; then finish what was read."""
        looked = -_LOOK
        while not self.ending:
            if monotonic() - looked >= _LOOK:
                self._look_for_topics()
                looked = monotonic()
            messages = self._consumer.consume(_BATCH, _ROUND)
            if not self._copy([message for message in messages if message.error() is None]):
                self._assigned = set()  # read again from the last position that the target has acknowledged
        self._consumer.close()

    def _look_for_topics(self) -> None:
        try:
            found = self._source.list_topics(timeout=_ANSWER).topics
            there = self._target.list_topics(timeout=_ANSWER).topics
        except KafkaException:
            return  # an end that is away comes back, or the lab ends us
        wanted = {
            name: topic for name, topic in found.items() if self._wanted.fullmatch(name) and not name.startswith("__")
        }
        partitions = {(name, number) for name, topic in wanted.items() for number in topic.partitions}
        if partitions == self._assigned:
            return
        missing = [NewTopic(name, len(topic.partitions), 1) for name, topic in wanted.items() if name not in there]
        if missing:
            for future in self._target.create_topics(missing).values():
                future.result()
        self._consumer.assign(
            [
                TopicPartition(name, number, self._positions.get(name, {}).get(str(number), OFFSET_BEGINNING))
                for name, number in partitions
            ]
        )
        self._assigned = partitions

    def _copy(self, messages: list[Message]) -> bool:
        """Write records to the target; whether it has acknowledged them all."""
        failed: list[str] = []
        for message in messages:
            topic, partition, _ = _place(message)
            self._producer.produce(
                topic,
                value=message.value(),
                key=message.key(),
                partition=partition,
                timestamp=message.timestamp()[1],
                headers=message.headers(),
                on_delivery=lambda error, _: failed.append(error.str()) if error else None,
            )
        while self._producer.flush(_ROUND) and not self.ending:
            pass  # a target that is away comes back, or librdkafka gives the records up
        if failed or self._producer.flush(_ANSWER):
            return False
        for message in messages:
            topic, partition, offset = _place(message)
            self._positions.setdefault(topic, {})[str(partition)] = offset + 1
        if messages:
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(self._positions))
            part.replace(self._file)
        return True


def _place(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a record; only errors have none."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return topic, partition, offset


def main() -> None:
    """Mirror as the command line says, until SIGTERM."""
    source, target, pattern, positions = sys.argv[1:]
    mirror = Mirror(source.split(","), target.split(","), pattern, Path(positions))

    def end(*_: object) -> None:
        mirror.ending = True

    signal.signal(signal.SIGTERM, end)
    mirror.run()


if __name__ == "__main__":
    main()
