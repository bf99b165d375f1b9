"""What a cluster's logs hold up to now, read around the gateway while clients go on writing. Blocks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from tests.matrix.truth import SECONDS, Written
from tests.switching.acts import Logs


def read_logs(bootstrap: Sequence[str], topics: Iterable[str], *, committed: bool = True) -> Logs:
    """Return what topics hold now; `committed`: up to the first open transaction, without aborted ones.

    Raises TimeoutError where the cluster does not answer.
    """
    isolation = "read_committed" if committed else "read_uncommitted"
    # Of what librdkafka reads under open transactions it does not say that it has come to the end.
    consumer = KafkaConsumer(bootstrap_servers=list(bootstrap), isolation_level=isolation, enable_auto_commit=False)
    try:
        found: dict[str, list[Written]] = {topic: [] for topic in topics}
        places = [TopicPartition(topic, each) for topic in found for each in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        deadline = time.monotonic() + SECONDS
        while behind := [place for place in places if consumer.position(place) < ends[place]]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{behind[0]} could not be read to its end in {SECONDS:g} s")
            for place, records in consumer.poll(timeout_ms=200).items():
                found[place.topic] += [
                    Written(record.value.decode(), place.partition, record.offset)
                    for record in records
                    if record.offset < ends[place]
                ]
        return found
    finally:
        consumer.close()
