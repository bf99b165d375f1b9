"""aiokafka: `python -m tests.matrix.programs.python.aiokafka_client COMMAND ...`."""

from __future__ import annotations

import argparse
import asyncio  # noqa: TID251  # the client's own event loop; this file is a program that only tests run
import contextlib
import ssl

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from tests.matrix.programs.python.reporting import Stop, key_of, options, tell

SECONDS = 30
TRANSACTION_RECORDS = 10


def settings(given: argparse.Namespace) -> dict[str, object]:
    """Return what all of its clients are given."""
    found: dict[str, object] = {"bootstrap_servers": given.bootstrap}
    if given.ca:
        found |= {
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=given.ca),
            "sasl_mechanism": given.mechanism,
            "sasl_plain_username": given.user,
            "sasl_plain_password": given.password,
        }
    return found


def acked(value: str, place: RecordMetadata) -> None:
    """Tell that a record is acknowledged."""
    tell("acked", value=value, partition=place.partition, offset=place.offset)


def answered(value: str, sent: asyncio.Future[RecordMetadata]) -> None:
    """Tell what became of a record."""
    if sent.cancelled() or sent.exception() is not None:
        tell("failed", value=value, text="cancelled" if sent.cancelled() else repr(sent.exception()))
    else:
        acked(value, sent.result())


async def produce(given: argparse.Namespace, stop: Stop) -> None:
    """Write `count` records, or without end."""
    producer = AIOKafkaProducer(**settings(given), enable_idempotence=given.idempotent, acks="all", linger_ms=5)
    await producer.start()
    number = 0
    while not stop and (number < given.count or not given.count):
        value = f"{given.prefix}-{number}"
        number += 1
        try:
            sent = await producer.send(given.topic, value.encode(), key=key_of(number).encode())
        except KafkaError as error:
            tell("failed", value=value, text=repr(error))
            continue
        sent.add_done_callback(lambda sent, value=value: answered(value, sent))
        await asyncio.sleep(given.pace / 1000)
    await producer.stop()


async def produce_transactions(given: argparse.Namespace, stop: Stop) -> None:
    """Write transactions of ten records without end; an aborted one is told as failed and not tried again."""
    producer, number = None, 0
    while not stop:
        values = [f"{given.prefix}-{number + each}" for each in range(TRANSACTION_RECORDS)]
        number += TRANSACTION_RECORDS
        try:
            if producer is None:
                producer = AIOKafkaProducer(**settings(given), transactional_id=given.transactional_id)
                await producer.start()
            await producer.begin_transaction()
            sent = []
            for each, value in enumerate(values):
                sent.append(await producer.send(given.topic, value.encode(), key=key_of(number + each).encode()))
                await asyncio.sleep(given.pace / 1000)
            await producer.commit_transaction()
            places = [await each for each in sent]
        except KafkaError as error:
            for value in values:
                tell("failed", value=value, text=repr(error))
            producer = await aborted(producer)
        else:
            for value, place in zip(values, places, strict=True):
                acked(value, place)
            tell("committed")
    if producer is not None:
        await producer.stop()


async def aborted(producer: AIOKafkaProducer | None) -> AIOKafkaProducer | None:
    """Return the producer to go on with after an error; None where the library says that it is of no more use."""
    if producer is None:
        return None
    try:
        await producer.abort_transaction()
    except (KafkaError, AssertionError) as error:  # the latter where it has failed for good
        tell("error", text=repr(error))
        with contextlib.suppress(KafkaError):  # what was still under way is lost with it
            await producer.stop()
        return None
    tell("aborted")
    return producer


async def consume(given: argparse.Namespace, stop: Stop) -> None:
    """Deliver `count` records and commit the places after them; or without end."""
    consumer = AIOKafkaConsumer(
        **settings(given),
        group_id=given.group or None,
        auto_offset_reset="earliest",
        isolation_level=given.isolation,
        enable_auto_commit=not given.count and not given.assign,
        auto_commit_interval_ms=1000,
    )
    if not given.assign:
        consumer.subscribe([given.topic])
    await consumer.start()
    if given.assign:
        partitions = await consumer._client._wait_on_metadata(given.topic)  # it has no public way
        consumer.assign([TopicPartition(given.topic, each) for each in partitions])
    delivered = 0
    places: dict[TopicPartition, int] = {}
    while not stop and (delivered < given.count or not given.count):
        try:
            found = await consumer.getmany(timeout_ms=200, max_records=given.count - delivered if given.count else None)
        except KafkaError as error:
            tell("error", text=repr(error))
            continue
        for partition, records in found.items():
            for record in records:
                tell("delivered", value=record.value.decode(), partition=record.partition, offset=record.offset)
            delivered += len(records)
            places[partition] = records[-1].offset + 1
    if given.count:
        await consumer.commit(places)
        tell("committed")
    await consumer.stop()


async def transact(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - every command is given both
    """Abort a transaction, then commit one."""
    producer = AIOKafkaProducer(**settings(given), transactional_id=given.transactional_id)
    await producer.start()
    for outcome, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        await producer.begin_transaction()
        for number in range(given.count):
            value = f"{given.prefix}-{outcome}-{number}"
            await producer.send_and_wait(given.topic, value.encode(), key=key_of(number).encode())
        await end()
        tell(outcome)
    await producer.stop()


async def create(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Create a topic and describe it."""
    admin = AIOKafkaAdminClient(**settings(given))
    await admin.start()
    await admin.create_topics([NewTopic(given.topic, given.partitions, 3)])
    for _ in range(SECONDS * 10):
        (found,) = await admin.describe_topics([given.topic])
        if found["error_code"] == 0 and found["partitions"]:
            tell("created", partitions=len(found["partitions"]))
            break
        await asyncio.sleep(0.1)  # the broker that was asked has not heard of it yet
    else:
        raise SystemExit("the topic cannot be described")
    await admin.close()


async def delete(given: argparse.Namespace, stop: Stop) -> None:  # noqa: ARG001 - as above
    """Delete a topic."""
    admin = AIOKafkaAdminClient(**settings(given))
    await admin.start()
    await admin.delete_topics([given.topic])
    tell("deleted")
    await admin.close()


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
    asyncio.run(command(given, Stop()))


if __name__ == "__main__":
    main()
