"""A producer whose every record is marked and accounted for."""

from __future__ import annotations

from collections import Counter
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from appliance.drills.ledger import Outcome, Write
from appliance.drills.scenario.traffic import Produce
from appliance.drills.traffic.client import Site
from appliance.drills.traffic.librdkafka import producer_settings
from appliance.drills.traffic.marks import Mark, digest_of
from appliance.drills.traffic.outcomes import outcome_of


class Writer:
    """Write marked records and note the fate of each in the logbook.

    For one thread. Every record that `write` took gets exactly one row: when its delivery report comes, at
    the latest in `finish`.
    """

    def __init__(self, name: str, produce: Produce, site: Site) -> None:
        self._topic, self._size = produce.topic, produce.value_size
        self._name, self._run = name, site.run
        self._logbook = site.logbook
        self._next: Counter[int] = Counter()
        site.logbook.enrol(name)
        self._producer = Producer(producer_settings(name, produce, site.connection(name)), logger=site.logger)

    def partitions(self, timeout: float) -> int:
        """Return how many partitions the topic has, 0 if no broker could say within `timeout` seconds."""
        try:
            metadata = self._producer.list_topics(self._topic, timeout=timeout)
        except KafkaException:
            return 0
        topic = metadata.topics[self._topic]
        return 0 if topic.error is not None else len(topic.partitions)

    def write(self, partition: int) -> None:
        """Hand the partition's next record to the library; what it refuses outright is noted as failed."""
        seq = self._next[partition]
        self._next[partition] += 1
        mark = Mark(self._run, self._name, partition, seq)
        value = mark.value(self._size)
        digest, sent = digest_of(value), self._logbook.clock()
        report = partial(self._reported, mark, digest, sent)
        try:
            self._producer.produce(self._topic, value=value, partition=partition, on_delivery=report)
        except BufferError:
            self._note(mark, digest, sent, "failed", None, "_QUEUE_FULL")
        except KafkaException as error:
            self._note(mark, digest, sent, "failed", None, error.args[0].name())

    def serve(self, seconds: float) -> None:
        """Take delivery reports for at most this long; return earlier if some came."""
        self._producer.poll(seconds)

    def flush(self, timeout: float) -> int:
        """Wait for every record's fate, at most `timeout` seconds; return how many are out still."""
        return int(self._producer.flush(timeout))

    def finish(self, timeout: float) -> int:
        """Flush, then give up on what is still out (indeterminate); return how many those were."""
        left = self.flush(timeout)
        if left:
            self._producer.purge()
            self._producer.flush(1.0)
        return left

    def _reported(self, mark: Mark, digest: str, sent: float, error: KafkaError | None, message: Message) -> None:
        offset = message.offset() if error is None else None
        self._note(mark, digest, sent, outcome_of(error), offset, "" if error is None else error.name())

    def _note(self, mark: Mark, digest: str, sent: float, outcome: Outcome, offset: int | None, error: str) -> None:
        self._logbook.wrote(
            Write(
                client=mark.client,
                topic=self._topic,
                partition=mark.partition,
                seq=mark.seq,
                id=mark.id,
                digest=digest,
                sent=sent,
                done=self._logbook.clock(),
                outcome=outcome,
                offset=offset,
                error=error,
            )
        )
