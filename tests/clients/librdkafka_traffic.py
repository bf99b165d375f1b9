"""Produce and consume without end, as a program of its own: `librdkafka_traffic.py BOOTSTRAP TOPIC`.

Prints a line whenever a record was acknowledged (`acked VALUE`) or read (`seen VALUE`); ends on SIGTERM.
"""

import signal
import sys
import time

from confluent_kafka import Consumer, Message, Producer


def text(message: Message) -> str:
    return (message.value() or b"").decode()


def main(bootstrap: str, topic: str) -> None:
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"rd-{topic}", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    number = 0
    with Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}) as producer:
        while running:
            value = f"rd-{number}"
            producer.produce(
                topic,
                value,
                key=value,
                on_delivery=lambda error, message: print(  # noqa: T201  # its one way to tell
                    f"failed {error}" if error else f"acked {text(message)}", flush=True
                ),
            )
            number += 1
            time.sleep(0.01)  # the pace
            producer.poll(0)
            message = consumer.poll(0)
            if message is not None and message.error() is None:
                print(f"seen {text(message)}", flush=True)  # noqa: T201  # its one way to tell
    consumer.close()


main(sys.argv[1], sys.argv[2])
