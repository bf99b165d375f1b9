"""Questions to a cluster through librdkafka: an implementation that is not ours answers for readiness."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import trio
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from appliance.lab.errors import BrokerFailed, LabError

_ANSWER = 1.0
"""Seconds that one question may take; short, since a thread that asks cannot be cancelled."""
_PAUSE = 0.1
_DELETION = 60.0
"""Seconds to write the records that a topic shall have lost, and again to delete them."""


def client_settings(bootstrap: Sequence[str]) -> dict[str, str | int | float | bool]:
    """Settings for a client of the lab: silent, and quick to try a broker again that has just come back."""
    return {
        "bootstrap.servers": ",".join(bootstrap),
        "client.id": "tidegate-lab",
        "log_level": 0,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 250,
    }


async def wait_ready(
    name: str,
    addresses: Mapping[int, str],
    running: Collection[int],
    fallen: Callable[[], str | None],
    deadline: float,
) -> None:
    """Wait until each of `addresses` (node id -> address), asked by itself, knows all `running` brokers.

    A Kafka broker accepts connections only once it is unfenced, so an answer means that it serves. `fallen` is asked
    between questions and says why waiting is in vain. Raises BrokerFailed then, or after `deadline` seconds.
    """
    clients = {node_id: AdminClient(client_settings([address])) for node_id, address in addresses.items()}
    seen = "no answer"
    with trio.move_on_after(deadline):
        for node_id, client in clients.items():
            while True:
                if (reason := fallen()) is not None:
                    raise BrokerFailed(reason)
                known = await trio.to_thread.run_sync(_known_brokers, client)
                if known.issuperset(running):
                    break
                seen = f"broker {node_id} knows {sorted(known) or 'none'}"
                await trio.sleep(_PAUSE)
        return
    raise BrokerFailed(
        f"cluster {name}: expected brokers {sorted(running)} to be ready within {deadline:g} s; found: {seen}"
    )


def _known_brokers(client: AdminClient) -> set[int]:
    try:
        return set(client.list_topics(timeout=_ANSWER).brokers)
    except KafkaException:
        return set()


async def create_topic(
    bootstrap: Sequence[str],
    name: str,
    *,
    partitions: int,
    replication_factor: int,
    configs: Mapping[str, str],
    deadline: float = 30.0,
) -> None:
    """Create a topic and wait until each partition has a leader. Raises LabError, also where the topic exists."""
    client = AdminClient(client_settings(bootstrap))
    wanted = NewTopic(name, partitions, replication_factor, config=dict(configs))
    try:
        future = client.create_topics([wanted], operation_timeout=deadline)[name]
        await trio.to_thread.run_sync(future.result)
        with trio.move_on_after(deadline):
            while await trio.to_thread.run_sync(_led_partitions, client, name) < partitions:  # noqa: ASYNC110  # no event: it is elsewhere
                await trio.sleep(_PAUSE)
            return
    except KafkaException as error:
        raise LabError(f"topic {name}: expected to be created; found: {error.args[0].str()}") from error
    raise LabError(
        f"topic {name}: expected leaders for all {partitions} partitions within {deadline:g} s; some have none"
    )


async def begin_logs_at(bootstrap: Sequence[str], name: str, *, partitions: int, offset: int) -> None:
    """Let an empty topic's partitions begin at this offset. Raises LabError.

    As many records are written as retention would have taken away, and deleted (DeleteRecords): there is no other way
    to move a log's start, and to wait for retention takes a segment's roll and minutes.
    """
    try:
        await trio.to_thread.run_sync(_write_empty, bootstrap, name, partitions, offset)
        client = AdminClient(client_settings(bootstrap))
        places = [TopicPartition(name, partition, offset) for partition in range(partitions)]
        for future in client.delete_records(places, request_timeout=_DELETION).values():
            await trio.to_thread.run_sync(future.result)
    except KafkaException as error:
        raise LabError(f"topic {name}: expected to begin at offset {offset}; found: {error.args[0].str()}") from error


def _write_empty(bootstrap: Sequence[str], name: str, partitions: int, count: int) -> None:
    failed: list[KafkaException] = []
    producer = Producer({**client_settings(bootstrap), "enable.idempotence": True})
    for partition in range(partitions):
        for _ in range(count):
            while True:
                try:
                    producer.produce(
                        name,
                        b"",
                        partition=partition,
                        on_delivery=lambda error, _: failed.append(KafkaException(error)) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(_PAUSE)
    left = producer.flush(_DELETION)
    if failed:
        raise failed[0]
    if left:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's own name


def _led_partitions(client: AdminClient, topic: str) -> int:
    try:
        found = client.list_topics(topic, timeout=_ANSWER).topics[topic]
    except KafkaException:
        return 0
    if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        return 0
    return sum(partition.leader >= 0 for partition in found.partitions.values())
