"""The two kinds of consumers: one holds all partitions from the beginning, one is a member of a group.

The first must see every record of the log once and in order, whatever happens behind the gateway; the second
shows what groups do to that (rebalances, offsets committed once a second, redelivery).
"""

from __future__ import annotations

import math

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from appliance.drills.ledger import Delivery
from appliance.drills.scenario.traffic import Consume
from appliance.drills.traffic.client import Role, Site
from appliance.drills.traffic.librdkafka import consumer_settings, describe_consumer
from appliance.drills.traffic.marks import read_mark

_TURN_SECONDS = 0.1
_BATCH = 500


class Reader:
    """See `Client`. Winds up by reading to the end of the log as the virtual cluster shows it then."""

    def __init__(self, name: str, consume: Consume, site: Site, *, partitions: int) -> None:
        self.name, self.topic, self.detail = name, consume.topic, describe_consumer(consume)
        self.role: Role = "group-consumer" if consume.group else "assigned-consumer"
        self.connected = False
        self.leftover = ""
        self._grouped = consume.group is not None
        self._partitions, self._run = partitions, site.run
        self._logbook = site.logbook
        self._deadline = math.inf
        self._reading = True
        site.logbook.enrol(name)
        self._consumer = Consumer(consumer_settings(name, consume, site.connection(name)), logger=site.logger)

    def run(self) -> None:
        """Read until told to wind up, then to the end, then close."""
        try:
            while self._reading and not self.connected:
                self.connected = self._sees_topic()
            if self._grouped:
                self._consumer.subscribe([self.topic])
            else:
                everywhere = range(self._partitions)
                self._consumer.assign([TopicPartition(self.topic, each, OFFSET_BEGINNING) for each in everywhere])
            while self._reading:
                self._take()
            while (behind := self._behind()) and self._logbook.clock() < self._deadline:
                self._take()
            self.leftover = behind
        finally:
            self._consumer.close()

    def wind_up(self, seconds: float) -> None:
        """Read to the end, for at most this long."""
        self._deadline = self._logbook.clock() + seconds
        self._reading = False

    def _take(self) -> None:
        first = self._consumer.poll(_TURN_SECONDS)
        if first is None:
            return
        for message in (first, *self._consumer.consume(_BATCH, 0)):
            error = message.error()
            if error is None:
                self._note(message)
            else:
                self._logbook.troubled(self.name, error.name())

    def _note(self, message: Message) -> None:
        mark = read_mark(message.value())
        if mark is None or mark.run != self._run:
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None, "a message without error has a place"
        assert offset is not None
        at = self._logbook.clock()
        self._logbook.delivered(Delivery(self.name, self.topic, partition, offset, mark.id, at))

    def _sees_topic(self) -> bool:
        try:
            topic = self._consumer.list_topics(self.topic, timeout=1.0).topics[self.topic]
        except KafkaException:
            return False
        return topic.error is None and len(topic.partitions) >= self._partitions

    def _behind(self) -> str:
        """Return why the end is not reached yet, empty if it is."""
        try:
            held = self._consumer.assignment()
            if not held:
                return "holds no partition"
            for place in self._consumer.position(held):
                low, high = self._consumer.get_watermark_offsets(place, timeout=2.0)
                reached = place.offset if place.offset >= 0 else self._start_of(place, low)
                if reached < high:
                    return f"is at offset {reached} of {high} in partition {place.partition}"
        except KafkaException as error:
            return f"cannot tell whether it reached the end ({error.args[0].name()})"
        return ""

    def _start_of(self, place: TopicPartition, low: int) -> int:
        """Where a partition is read from that gave nothing yet since it was assigned."""
        if not self._grouped:
            return low
        committed = self._consumer.committed([place], timeout=2.0)[0].offset
        return committed if committed >= 0 else low
