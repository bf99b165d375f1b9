"""What a cluster says of itself, asked directly: its id, its topics, how far its logs reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import trio
from confluent_kafka import Consumer, KafkaException, TopicPartition

_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Glimpse:
    """A cluster at one moment."""

    cluster_id: str
    topics: frozenset[str]
    ends: dict[str, int]
    """Topic -> the sum of its partitions' end offsets."""


async def look_at(bootstrap: Iterable[str], topics: Iterable[str] | None = None) -> Glimpse | None:
    """Ask a cluster; `topics` limits whose ends are asked for. None where it does not answer in time."""
    return await trio.to_thread.run_sync(_look, ",".join(bootstrap), None if topics is None else set(topics))


def _look(bootstrap: str, topics: set[str] | None) -> Glimpse | None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tidegate-look", "log_level": "0"})
    try:
        metadata = consumer.list_topics(timeout=_ANSWER_SECONDS)
        ends = {
            name: sum(
                consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=_ANSWER_SECONDS)[1]
                for partition in topic.partitions
            )
            for name, topic in metadata.topics.items()
            if topics is None or name in topics
        }
        return Glimpse(metadata.cluster_id or "", frozenset(metadata.topics), ends)
    except KafkaException:
        return None
    finally:
        consumer.close()
