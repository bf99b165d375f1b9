"""kafka-python: `python -m tests.matrix.programs.python.kafka_python_client COMMAND ...`."""

from __future__ import annotations

import argparse
import time

import kafka
from kafka.admin import NewTopic
from kafka.errors import KafkaError, UnknownTopicOrPartitionError
from kafka.producer.future import RecordMetadata
from kafka.structs import OffsetAndMetadata, TopicPartition

from tests.matrix.programs.python.reporting import Stop, key_of, options, tell

SECONDS = 30
TRANSACTION_RECORDS = 10
POLL_MS = 1000
"""A poll that ends while the library joins its group a second time, for metadata that came late, loses the assignment
for ever (kafka-python 3.0.12, also without a gateway: 11 of 12 consumers that poll for 5 ms each hang). A second
outlasts the joining; a poll returns as soon as there are records."""


def settings(given: argparse.Namespace) -> dict[str, object]:
    """Return what all of its clients are given."""
    found: dict[str, object] = {"bootstrap_servers": given.bootstrap}
    if given.ca:
        found |= {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": given.ca,
            "sasl_mechanism": given.mechanism,
            "sasl_plain_username": given.user,
            "sasl_plain_password": given.password,
        }
    return found


def acked(value: str, place: RecordMetadata) -> None:
    """Tell that a record is acknowledged."""
    tell("acked", value=value, partition=place.partition, offset=place.offset)


def produce(given: argparse.Namespace, stop: Stop) -> None:
    """Write `count` records, or without end."""
    producer = kafka.KafkaProducer(
        **settings(given), enable_idempotence=given.idempotent, acks="all", linger_ms=5, max_block_ms=SECONDS * 1000
    )
    number = 0
    while not stop and (number < given.count or not given.count):
        value = f"{given.prefix}-{number}"
        number += 1
        try:
            sent = producer.send(given.topic, value.encode(), key=key_of(number).encode())
        except KafkaError as error:
            tell("failed", value=value, text=repr(error))
            continue
        sent.add_callback(lambda place, value=value: acked(value, place))
        sent.add_errback(lambda error, value=value: tell("failed", value=value, text=repr(error)))
        time.sleep(given.pace / 1000)
    producer.flush(SECONDS)
    producer.close(SECONDS)


def produce_transactions(given: argparse.Namespace, stop: Stop) -> None:
    """Write transactions of ten records without end; an aborted one is told as failed and not tried again."""
    producer, number = None, 0
    while not stop:
        values = [f"{given.prefix}-{number + each}" for each in range(TRANSACTION_RECORDS)]
        number += TRANSACTION_RECORDS
        try:
            if producer is None:
                producer = kafka.KafkaProducer(**settings(given), transactional_id=given.transactional_id)
                producer.init_transactions()
            producer.begin_transaction()
            sent = []
            for each, value in enumerate(values):
                sent.append(producer.send(given.topic, value.encode(), key=key_of(number + each).encode()))
                time.sleep(given.pace / 1000)
            producer.commit_transaction()
            places = [each.get(SECONDS) for each in sent]
        except KafkaError as error:
            for value in values:
                tell("failed", value=value, text=repr(error))
            producer = aborted(producer)
        else:
            for value, place in zip(values, places, strict=True):
                acked(value, place)
            tell("committed")
    if producer is not None:
        producer.close(SECONDS)


def aborted(producer: kafka.KafkaProducer | None) -> kafka.KafkaProducer | None:
    """Return the producer to go on with after an error; None where the library says that it is of no more use."""
    if producer is None:
        return None
    try:
        producer.abort_transaction()
    except KafkaError as error:
        tell("error", text=repr(error))
        producer.close(0)
        return None
    tell("aborted")
    return producer


def consume(given: argparse.Namespace, stop: Stop) -> None:
    """Deliver `count` records and commit the places after them; or without end."""
    consumer = kafka.KafkaConsumer(
        **settings(given),
        group_id=given.group or None,
        auto_offset_reset="earliest",
        isolation_level=given.isolation,
        enable_auto_commit=not given.count and not given.assign,
        auto_commit_interval_ms=1000,
    )
    if given.assign:
        consumer.assign([TopicPartition(given.topic, each) for each in consumer.partitions_for_topic(given.topic)])
    else:
        consumer.subscribe([given.topic])
    delivered = 0
    places: dict[TopicPartition, OffsetAndMetadata] = {}
    while not stop and (delivered < given.count or not given.count):
        try:
            found = consumer.poll(timeout_ms=POLL_MS, max_records=given.count - delivered if given.count else None)
        except KafkaError as error:
            tell("error", text=repr(error))
            continue
        for partition, records in found.items():
            for record in records:
                tell("delivered", value=record.value.decode(), partition=record.partition, offset=record.offset)
            delivered += len(records)
            places[partition] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
    if given.count:
        consumer.commit(places)
        tell("committed")
    consumer.close()


def transact(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - every command is given both
    """Abort a transaction, then commit one."""
    producer = kafka.KafkaProducer(**settings(given), transactional_id=given.transactional_id)
    producer.init_transactions()
    for outcome, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        for number in range(given.count):
            value = f"{given.prefix}-{outcome}-{number}"
            producer.send(given.topic, value.encode(), key=key_of(number).encode())
        producer.flush(SECONDS)
        end()
        tell(outcome)
    producer.close(SECONDS)


def create(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Create a topic and describe it."""
    admin = kafka.KafkaAdminClient(**settings(given))
    admin.create_topics([NewTopic(given.topic, given.partitions, 3)])
    for _ in range(SECONDS * 10):
        try:
            (found,) = admin.describe_topics([given.topic])
        except UnknownTopicOrPartitionError:
            found = {"partitions": []}
        if found["partitions"]:
            tell("created", partitions=len(found["partitions"]))
            admin.close()
            return
        time.sleep(0.1)  # the broker that was asked has not heard of it yet
    raise SystemExit("the topic cannot be described")


def delete(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Delete a topic."""
    admin = kafka.KafkaAdminClient(**settings(given))
    admin.delete_topics([given.topic])
    tell("deleted")
    admin.close()


COMMANDS = {
    "produce": produce,
    "produce-forever": produce,
    "consume": consume,
    "consume-forever": consume,
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
