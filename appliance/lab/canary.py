"""The proof that replication runs: a record put into the source that arrives in the target."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import trio
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.lab.admin import client_settings
from appliance.lab.cluster import Cluster
from appliance.lab.errors import BrokerFailed
from appliance.lab.kafka_settings import CANARY_TOPIC

_POLL = 0.5


async def ensure_canary_topic(source: Cluster) -> None:
    """Create the canary's topic in the source, where it is not there yet."""
    client = AdminClient(client_settings(source.bootstrap))
    known = await trio.to_thread.run_sync(lambda: client.list_topics(timeout=10))
    if CANARY_TOPIC not in known.topics:
        await source.create_topic(CANARY_TOPIC)


async def wait_canary(
    source: Sequence[str], target: Sequence[str], fallen: Callable[[], str | None], deadline: float
) -> None:
    """Send one record into the source's canary topic and wait until it is in the target.

    `fallen` is asked between polls and says why waiting is in vain. Raises BrokerFailed then, or after `deadline`
    seconds.
    """
    token = uuid.uuid4().bytes
    await trio.to_thread.run_sync(_send, source, token)
    consumer = Consumer({**client_settings(target), "group.id": "unused: it only assigns", "enable.auto.commit": False})
    try:
        with trio.move_on_after(deadline):
            consumer.assign([TopicPartition(CANARY_TOPIC, 0, 0)])
            while not await trio.to_thread.run_sync(_arrived, consumer, token):
                if (reason := fallen()) is not None:
                    raise BrokerFailed(reason)
            return
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(consumer.close)
    raise BrokerFailed(f"replication: expected a record to come through within {deadline:g} s; found none")


def _send(source: Sequence[str], token: bytes) -> None:
    producer = Producer(client_settings(source))
    failed: list[str] = []
    producer.produce(CANARY_TOPIC, token, on_delivery=lambda error, _: failed.append(error.str()) if error else None)
    if producer.flush(30) or failed:
        raise BrokerFailed(
            f"replication: expected the source to take the canary record; found: {''.join(failed) or 'no answer'}"
        )


def _arrived(consumer: Consumer, token: bytes) -> bool:
    try:
        return any(message.value() == token for message in consumer.consume(100, _POLL) if message.error() is None)
    except KafkaException:
        return False
