"""Two real clusters whose offsets differ by 300, the gateway as a process before them, and one consumer that lives
through a switch."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from appliance.control.positions import FOLLOW_EVERY
from appliance.harness import BlockingLab
from tests.cli.gateway import Served, free_port, served
from tests.gateway.scene import free_base

AHEAD = 300
"""So many records had expired when the standby's mirror began."""
BEFORE, SINCE, NEW = 1000, 10, 2000
"""Records before the consumer starts, while it reads, and on the standby when it comes to serve."""
PATIENCE = 60.0
QUIET = 4.0
"""Seconds without a record after which a reader is taken to have read all there is."""

RESOURCES = """
{{kind: Cluster, metadata: {{name: primary}}, spec: {{bootstrap: ["{primary}"]}}}}
---
{{kind: Cluster, metadata: {{name: standby}}, spec: {{bootstrap: ["{standby}"]}}}}
---
kind: VirtualCluster
metadata: {{name: orders}}
spec: {{cluster: primary, standbys: [standby]{spec}}}
---
kind: Listener
metadata: {{name: orders}}
spec: {{bind: "127.0.0.1:{port}", virtual_cluster: orders, broker_ports: {{first: {first}, count: 4}}}}
"""


def write(bootstrap: str, topic: str, values: Sequence[str | tuple[bytes, bytes]]) -> list[int]:
    """Write to partition 0 in this order and return the offsets that were acknowledged."""
    offsets: list[int] = []

    def delivered(error: Any, message: Message) -> None:
        assert error is None, error
        offset = message.offset()
        assert offset is not None
        offsets.append(offset)

    with Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0}) as producer:
        for each in values:
            key, value = each if isinstance(each, tuple) else (None, each.encode())
            producer.produce(topic, key=key, value=value, partition=0, on_delivery=delivered)
        assert producer.flush(PATIENCE) == 0
    return offsets


@dataclass
class Reader:
    """A consumer and what it read: value and offset, in order."""

    consumer: Consumer
    got: list[tuple[str, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dead: bool = False
    """Whether an error was fatal: librdkafka reads nothing more then."""

    def read(self, enough: Callable[[list[str]], bool], seconds: float = PATIENCE) -> list[str]:
        """Read until it is enough, and return what was read by this call; fails where it does not come to that."""
        start, deadline = len(self.got), time.monotonic() + seconds
        while not enough(values := [value for value, _ in self.got[start:]]):
            assert time.monotonic() < deadline, f"read {len(values)}, last {values[-3:]}; errors {self.errors}"
            self._poll()
        return values

    def read_all(self, seconds: float = PATIENCE) -> list[str]:
        """Read until nothing has come for a while, or nothing will; return what was read by this call."""
        start, last = len(self.got), time.monotonic()
        deadline = last + seconds
        while not self.dead and (now := time.monotonic()) < deadline and (now - last < QUIET or len(self.got) == start):
            if self._poll():
                last = time.monotonic()
        return [value for value, _ in self.got[start:]]

    def _poll(self) -> bool:
        message = self.consumer.poll(0.1)
        if message is None:
            return False
        if (error := message.error()) is not None:
            self.errors.append(str(error))
            self.dead = self.dead or error.code() == KafkaError._FATAL
            return False
        value, offset = message.value(), message.offset()
        assert value is not None
        assert offset is not None
        self.got.append((value.decode(), offset))
        return True


class Switching:
    """A topic on both clusters, and the gateway before them."""

    def __init__(self, lab: BlockingLab, gateway: Served, bootstrap: str, topic: str) -> None:
        self.primary = lab.clusters["primary"].bootstrap_servers
        self.standby = lab.clusters["standby"].bootstrap_servers
        self.gateway = gateway
        self.bootstrap = bootstrap
        self.topic = topic

    @contextmanager
    def reader(self, kind: str, *, start: int = 0, reset: str = "latest") -> Iterator[Reader]:
        """Return a reader: a classic group's, a consumer group's, or one without a group, which begins at `start`."""
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap, "group.id": f"group-of-{self.topic}", "auto.offset.reset": reset,
            "auto.commit.interval.ms": 1000, "log_level": 0, "client.id": f"{kind}-of-{self.topic}",
        }  # fmt: skip
        settings |= {"group.protocol": "consumer"} if kind == "consumer" else {"session.timeout.ms": 10000}
        consumer = Consumer(settings)
        try:
            if kind == "assign":
                consumer.assign([TopicPartition(self.topic, 0, start)])
            else:
                consumer.subscribe([self.topic])
            yield Reader(consumer)
        finally:
            consumer.close()

    def commit(self, bootstrap: str, offset: int) -> None:
        """Commit for the group, as a mirror does: not before the group's members there have been given up."""
        settings = {"bootstrap.servers": bootstrap, "group.id": f"group-of-{self.topic}", "log_level": 0}
        consumer = Consumer(settings)
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    consumer.commit(offsets=[TopicPartition(self.topic, 0, offset)], asynchronous=False)
                    break
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.UNKNOWN_MEMBER_ID or time.monotonic() > deadline:
                        raise
                    time.sleep(0.5)
        finally:
            consumer.close()

    def wait_committed(self, bootstrap: str, offset: int) -> None:
        """Wait until the group has committed this; fails where it does not come to that."""
        settings = {"bootstrap.servers": bootstrap, "group.id": f"group-of-{self.topic}", "log_level": 0}
        consumer = Consumer(settings)
        try:
            deadline, found = time.monotonic() + PATIENCE, -1
            while found != offset:
                assert time.monotonic() < deadline, f"committed is {found}, wanted {offset}"
                (position,) = consumer.committed([TopicPartition(self.topic, 0)], timeout=PATIENCE)
                found = position.offset
                time.sleep(0.05)
        finally:
            consumer.close()

    def slow_down(self, api: str, delay: str) -> None:
        """From now on each request of this API waits for so long before it goes upstream."""
        spec = {
            "virtual_cluster": "orders", "select": {"apis": [api]}, "latency": {"delay": delay}, "duration": "1m",
            "lease": "1m",
        }  # fmt: skip
        name = f"slow-{api.lower()}"
        with self._control() as control:
            fault = {"kind": "Fault", "metadata": {"name": name}, "spec": spec}
            answer = control.put(f"/v1/faults/{name}", json=fault)
            assert answer.is_success, answer.text

    def syncs(self, bootstrap: str, target: str, *pairs: tuple[int, int]) -> None:
        """Write offset syncs as MirrorMaker does: the source's offset, the target's."""
        name = self.topic.encode()
        key = struct.pack(f">h{len(name)}si", len(name), name, 0)
        write(bootstrap, f"mm2-offset-syncs.{target}.internal", [(key, struct.pack(">qq", *pair)) for pair in pairs])

    def wait_followed(self) -> None:
        """Wait until the gateway must have read the syncs that were there when this was called."""
        time.sleep(FOLLOW_EVERY + 1)

    def switch(self, to: str, *, mode: str = "planned", leave_records_behind: bool = True) -> dict[str, Any]:
        """Switch, and return the record when it is over; fails unless it was done."""
        path = "/v1/virtualclusters/orders/switchover"
        with self._control() as control:
            asked = {"to": to, "mode": mode, "leave_records_behind": mode == "planned" and leave_records_behind}
            answer = control.post(path, json=asked)
            assert answer.is_success, answer.text
            deadline = time.monotonic() + PATIENCE
            while (record := control.get(path).json())["state"] not in ("done", "failed", "rolled-back"):
                assert time.monotonic() < deadline, record
                time.sleep(0.05)
        assert record["state"] == "done", record
        return dict(record)

    def _control(self) -> httpx.Client:
        file = self.gateway.ready.token_file
        assert file is not None
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
        return httpx.Client(base_url=str(self.gateway.ready.api), headers=headers, trust_env=False)


@contextmanager
def opened(lab: BlockingLab, folder: Path, topic: str, spec: str = "", *, workers: int = 1) -> Iterator[Switching]:
    """Run the gateway before both clusters."""
    base = free_base(range(6))
    file = folder / "resources.yaml"
    primary, standby = (lab.clusters[each].bootstrap[0] for each in ("primary", "standby"))
    text = RESOURCES.format(
        primary=primary, standby=standby, port=base, first=base + 1, spec=f", {spec}" if spec else ""
    )
    file.write_text(text)
    arguments = (
        "-f",
        file,
        "--api",
        f"127.0.0.1:{free_port()}",
        "--state",
        folder / "state",
        "--workers",
        str(workers),
    )
    with served(folder / "gateway", *arguments) as gateway:
        try:
            yield Switching(lab, gateway, f"127.0.0.1:{base}", topic)
        finally:
            assert "Traceback" not in gateway.log, gateway.log


@contextmanager
def switching(lab: BlockingLab, folder: Path, topic: str, spec: str = "", *, workers: int = 1) -> Iterator[Switching]:
    """Set the scene: the standby's mirror began 300 records late and has all the rest."""
    for cluster in lab.clusters.values():
        cluster.create_topic(topic)
    with opened(lab, folder, topic, spec, workers=workers) as here:
        records = [f"R{number}" for number in range(BEFORE)]
        write(here.primary, topic, records)
        write(here.standby, topic, records[AHEAD:])
        yield here


def mirrored_while_read(here: Switching, reader: Reader, kind: str, *, commits: bool = True) -> None:
    """Let the reader read all there is on the primary; the standby has it too, and (`commits`) the group's offset."""
    if kind == "assign":
        reader.read(lambda values: len(values) == BEFORE)
    else:
        if commits:
            here.commit(here.standby, BEFORE - AHEAD)
        reader.read_all(QUIET)  # the group begins at the end: it is a member when nothing more comes
    since = [f"R{BEFORE + number}" for number in range(SINCE)]
    write(here.primary, here.topic, since)
    write(here.standby, here.topic, since)
    assert reader.read(lambda values: len(values) == SINCE) == since


@dataclass(frozen=True)
class Seen:
    """What became of the new records, as a reader saw them."""

    skipped: int
    twice: int
    out_of_order: int
    redelivered: int
    """Records from before the switch, read again."""


def seen(values: list[str]) -> Seen:
    """Judge what was read after the switch."""
    new = [int(value[1:]) for value in values if value.startswith("N")]
    first_times = list(dict.fromkeys(new))
    highest, out_of_order = -1, 0
    for number in first_times:
        out_of_order += number < highest
        highest = max(highest, number)
    return Seen(
        skipped=NEW - len(first_times),
        twice=sum(count - 1 for count in Counter(new).values()),
        out_of_order=out_of_order,
        redelivered=sum(value.startswith("R") for value in values),
    )
