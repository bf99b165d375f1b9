"""Produce and consume with aiokafka, as a program of its own: `aiokafka_round_trip.py BOOTSTRAP TOPIC COUNT`.

Prints, as JSON, the values in the order in which a group read them; an aborted one must not be among them.
"""

import asyncio  # noqa: TID251  # the client's own event loop; this file is a program that only tests run
import json
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def main(bootstrap: str, topic: str, count: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for number in range(count):
            await producer.send_and_wait(topic, f"v{number}".encode())
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"tx-{topic}") as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted")
        await producer.abort_transaction()
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"group-of-{topic}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    async with consumer:
        seen = [(await consumer.getone()).value.decode() for _ in range(count + 1)]
        await consumer.commit()
        print(json.dumps(seen))  # noqa: T201  # its one way to answer


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
