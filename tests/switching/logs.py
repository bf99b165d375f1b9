"""What a cluster's logs hold up to now, read around the gateway while clients go on writing. Blocks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.matrix.truth import SECONDS, Written
from tests.switching.acts import Logs

_SILENCE = 3.0
"""Seconds after which a log that is read locally has no more to give."""
_AGAIN = 0.1
_PASSING = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._UNKNOWN_PARTITION})
"""Of a partition that the cluster has just listed: its leader is about to be known."""
_TopicPartition = tuple[str, int]


def read_logs(bootstrap: Sequence[str], topics: Iterable[str]) -> Logs:
    """Return what topics hold now, up to the first open transaction, without aborted ones.

    Raises TimeoutError where the cluster does not answer, KafkaException where it answers something else.
    """
    own = {"group.id": "-", "enable.auto.commit": False, "isolation.level": "read_committed", "log_level": 0}
    consumer = Consumer({"bootstrap.servers": ",".join(bootstrap), "enable.partition.eof": True, **own})
    try:
        known = consumer.list_topics(timeout=SECONDS).topics
        found: dict[str, list[Written]] = {topic: [] for topic in topics}
        places = [(topic, each) for topic in found for each in known[topic].partitions]
        ends = {place: _end(consumer, place) for place in places}
        consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
        _read(consumer, found, ends)
        return found
    finally:
        consumer.close()


def _end(consumer: Any, place: _TopicPartition) -> int:
    """Return where a partition ends; a broker that has just come back does not lead it at once."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            end: int = consumer.get_watermark_offsets(TopicPartition(*place), SECONDS)[1]
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN)
        else:
            return end


def _read(consumer: Any, found: dict[str, list[Written]], ends: dict[_TopicPartition, int]) -> None:
    """Read each partition to its end: to a record from behind it, to where the library says that nothing follows (which
    it does not where a transaction is open), or until nothing more has come for a while."""
    behind = set(ends)
    heard = time.monotonic()
    deadline = heard + 2 * SECONDS
    while behind and time.monotonic() - heard < _SILENCE:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{min(behind)} could not be read to its end in {2 * SECONDS:g} s")
        for message in consumer.consume(500, 0.2):
            place = (message.topic(), message.partition())
            error, value = message.error(), message.value()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if error is not None or message.offset() >= ends[place]:
                behind.discard(place)
                continue
            heard = time.monotonic()
            found[place[0]].append(Written((value or b"").decode(errors="replace"), place[1], message.offset()))
