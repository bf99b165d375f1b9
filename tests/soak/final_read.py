"""What the cluster's log holds at the end: read around the gateway, committed records only."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from appliance.drills.ledger import Stored
from appliance.drills.traffic.marks import digest_of, read_mark
from tests.soak.plans import CLUSTER, PARTITIONS

_SECONDS = 600.0


def read_log(bootstrap: str, run: str, topics: Iterable[str] = PARTITIONS) -> list[Stored]:
    """Read all topics to their ends. Raises KafkaException; blocks, call it in a thread."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "soak-final-read",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    missing = {(topic, partition) for topic in topics for partition in range(PARTITIONS[topic])}
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in missing])
    stored: list[Stored] = []
    deadline = time.monotonic() + _SECONDS
    try:
        while missing:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            for message in consumer.consume(1000, 0.5):
                place = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    missing.discard(place)
                elif error is not None:
                    raise KafkaException(error)
                elif (mark := read_mark(message.value())) is not None and mark.run == run:
                    digest = digest_of(message.value() or b"")
                    stored.append(Stored(CLUSTER, *place, message.offset() or 0, mark.id, digest))
    finally:
        consumer.close()
    return stored
