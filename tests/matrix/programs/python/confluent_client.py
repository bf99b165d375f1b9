"""confluent-kafka (librdkafka): `python -m tests.matrix.programs.python.confluent_client COMMAND ...`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    ShareConsumer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.matrix.programs.python.reporting import Stop, key_of, options, tell

SECONDS = 30
TRANSACTION_RECORDS = 10


def settings(given: argparse.Namespace) -> dict[str, Any]:
    """Return what all of its clients are given."""
    found: dict[str, Any] = {
        "bootstrap.servers": given.bootstrap,
        "error_cb": lambda error: tell("error", text=str(error)),
    }
    if given.ca:
        found |= {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": given.ca,
            "sasl.mechanism": given.mechanism,
            "sasl.username": given.user,
            "sasl.password": given.password,
        }
    return found


def report(error: KafkaError | None, message: Message) -> None:
    """Tell what became of a record."""
    value = (message.value() or b"").decode()
    if error is None:
        tell("acked", value=value, partition=message.partition(), offset=message.offset())
    else:
        tell("failed", value=value, text=str(error))


def serve(producer: Producer, seconds: float) -> None:
    """Take delivery reports for that long; `poll` returns as soon as it has had some."""
    end = time.monotonic() + seconds
    producer.poll(seconds)
    while (left := end - time.monotonic()) > 0:
        producer.poll(left)


def produce(given: argparse.Namespace, stop: Stop) -> None:
    """Write `count` records, or without end; a producer that has failed for good is replaced, as applications do."""
    own = {"enable.idempotence": given.idempotent, "linger.ms": 5}
    producer = Producer({**settings(given), **own})
    number = 0
    while not stop and (number < given.count or not given.count):
        value = f"{given.prefix}-{number}"
        try:
            producer.produce(given.topic, value, key=key_of(number), on_delivery=report)
            serve(producer, given.pace / 1000)
        except BufferError:
            producer.poll(0.1)
            continue
        except KafkaException as error:
            tell("error", text=str(error))
            producer.purge()
            producer.flush(0)  # what was still queued is told as failed
            producer = Producer({**settings(given), **own})
        number += 1
    if producer.flush(SECONDS):
        raise SystemExit("not all records were answered")


class Sent:
    """The records of one transaction that have been acknowledged, which is worth nothing before the commit."""

    def __init__(self) -> None:
        self.places: list[Message] = []

    def answered(self, error: KafkaError | None, message: Message) -> None:
        """Take a delivery report; an error will come again, from the commit."""
        if error is None:
            self.places.append(message)


def produce_transactions(given: argparse.Namespace, stop: Stop) -> None:
    """Write transactions of ten records without end; an aborted one is told as failed and not tried again."""
    producer, number = None, 0
    while not stop:
        values = [f"{given.prefix}-{number + each}" for each in range(TRANSACTION_RECORDS)]
        number += TRANSACTION_RECORDS
        sent = Sent()
        try:
            if producer is None:
                producer = Producer({**settings(given), "transactional.id": given.transactional_id})
                producer.init_transactions(SECONDS)
            producer.begin_transaction()
            for each, value in enumerate(values):
                producer.produce(given.topic, value, key=key_of(number + each), on_delivery=sent.answered)
                serve(producer, given.pace / 1000)
            producer.commit_transaction(SECONDS)
        except KafkaException as error:
            for value in values:
                tell("failed", value=value, text=str(error))
            producer = abort(producer, error.args[0])
        else:
            for message in sent.places:
                report(None, message)
            tell("committed")


def abort(producer: Producer | None, error: KafkaError) -> Producer | None:
    """Abort where that is what the library asks for; return the producer to go on with, None for a new one."""
    if producer is None or error.fatal():
        return None
    try:
        producer.abort_transaction(SECONDS)
    except KafkaException as failed:
        tell("error", text=str(failed))
        return None
    tell("aborted")
    return producer


def consumer_of(given: argparse.Namespace, *, auto_commit: bool) -> Consumer:
    """Return a consumer that has subscribed, or is assigned all partitions."""
    own: dict[str, object] = {
        "group.id": given.group or "-",
        "group.protocol": given.protocol,
        "auto.offset.reset": "earliest",
        "isolation.level": given.isolation,
        "enable.auto.commit": auto_commit and not given.assign,
        "auto.commit.interval.ms": 1000,
    }
    consumer = Consumer({**settings(given), **own})
    if given.assign:
        partitions = consumer.list_topics(given.topic, SECONDS).topics[given.topic].partitions
        consumer.assign([TopicPartition(given.topic, each, OFFSET_BEGINNING) for each in partitions])
    else:
        consumer.subscribe([given.topic], on_assign=lambda _, parts: tell("assigned", partitions=len(parts)))
    return consumer


def deliver(message: Message) -> None:
    """Tell of a record or an error."""
    if (error := message.error()) is not None:
        tell("error", text=str(error))
    else:
        value = (message.value() or b"").decode()
        tell("delivered", value=value, partition=message.partition(), offset=message.offset())


def consume(given: argparse.Namespace, stop: Stop) -> None:
    """Deliver `count` records and commit the places after them; or without end."""
    consumer = consumer_of(given, auto_commit=not given.count)
    delivered = 0
    places: dict[int, int] = {}
    try:
        while not stop and (delivered < given.count or not given.count):
            message = consumer.poll(0.2)
            if message is None:
                continue
            deliver(message)
            partition, offset = message.partition(), message.offset()
            if message.error() is None and partition is not None and offset is not None:
                delivered += 1
                places[partition] = offset + 1
        if given.count:
            offsets = [TopicPartition(given.topic, each, place) for each, place in places.items()]
            consumer.commit(offsets=offsets, asynchronous=False)
            tell("committed")
    finally:
        consumer.close()


def share(given: argparse.Namespace, stop: Stop) -> None:
    """Deliver and accept `count` records of a share group."""
    consumer = ShareConsumer({**settings(given), "group.id": given.group})
    consumer.subscribe([given.topic])
    delivered = 0
    try:
        while not stop and delivered < given.count:
            for message in consumer.poll(1.0):
                deliver(message)
                delivered += message.error() is None
            consumer.commit_sync()
    finally:
        consumer.close()


def transact(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - every command is given both
    """Abort a transaction, then commit one."""
    producer = Producer({**settings(given), "transactional.id": given.transactional_id})
    producer.init_transactions(SECONDS)
    for outcome, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        for number in range(given.count):
            producer.produce(given.topic, f"{given.prefix}-{outcome}-{number}", key=key_of(number))
        producer.flush(SECONDS)
        end(SECONDS)
        tell(outcome)


def create(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Create a topic and describe it."""
    admin = AdminClient(settings(given))
    admin.create_topics([NewTopic(given.topic, given.partitions, 3)])[given.topic].result(SECONDS)
    for _ in range(SECONDS * 10):
        try:
            found = admin.describe_topics(TopicCollection([given.topic]))[given.topic].result(SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            time.sleep(0.1)  # the broker that was asked has not heard of it yet
        else:
            tell("created", partitions=len(found.partitions))
            return
    raise SystemExit("the topic cannot be described")


def delete(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Delete a topic."""
    admin = AdminClient(settings(given))  # held: its answers die with it
    admin.delete_topics([given.topic])[given.topic].result(SECONDS)
    tell("deleted")


COMMANDS = {
    "produce": produce,
    "produce-forever": produce,
    "consume": consume,
    "consume-forever": consume,
    "share": share,
    "transact": transact,
    "create": create,
    "delete": delete,
}


def main() -> None:
    """Do what the command line says."""
    given = options()
    command = COMMANDS[given.command]
    if given.command == "produce-forever" and given.transactional_id:
        command = produce_transactions
    command(given, Stop())


if __name__ == "__main__":
    main()
