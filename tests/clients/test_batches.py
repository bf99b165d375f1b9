"""Record batches are the broker's to the byte: offsets, boundaries, sequences and control batches, however old."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from appliance.harness import BlockingCluster
from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.clients.asking import Place, ask
from tests.clients.conftest import RunningGateway
from tests.clients.test_every_api import simplest

pytestmark = pytest.mark.kafka
SECONDS = 60
_BATCH = struct.Struct(">qiibihiqqqhii")
"""Offset, length, epoch, magic, CRC, attributes, last delta, two times, producer and its epoch, sequence, count."""
TRANSACTIONAL, CONTROL = 0x10, 0x20


class Batch(NamedTuple):
    base_offset: int
    attributes: int
    last_delta: int
    producer_id: int
    sequence: int
    records: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_delta + 1


class Led(NamedTuple):
    """A topic, its names as requests carry them, its leader's address and the leader's door."""

    topic: str
    names: Mapping[str, Any]
    direct: Place
    door: Place


def batches_in(records: bytes) -> list[Batch]:
    found, at = [], 0
    while at < len(records):
        base, length, _, magic, _, attributes, delta, _, _, producer, _, sequence, count = _BATCH.unpack_from(
            records, at
        )
        assert magic == 2
        found.append(Batch(base, attributes, delta, producer, sequence, count))
        at += 12 + length
    return found


def write(producer: Producer, topic: str, *keys: str) -> None:
    """Write a record for each key, each in a batch of its own, and wait until they are there."""
    for number, key in enumerate(keys):
        producer.produce(topic, f"value {number} of {key}", key, 0)
        assert producer.flush(SECONDS) == 0


def idempotent(gateway: RunningGateway) -> Producer:
    return Producer(
        {"bootstrap.servers": gateway.bootstrap, "log_level": 0, "enable.idempotence": True, "linger.ms": 0}
    )


def write_transactions(gateway: RunningGateway, topic: str) -> None:
    """Write one transaction that is committed and one that is aborted."""
    settings = {"bootstrap.servers": gateway.bootstrap, "log_level": 0, "linger.ms": 0, "transactional.id": topic}
    producer = Producer(settings)
    producer.init_transactions(SECONDS)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        write(producer, topic, "a", "b")
        end(SECONDS)


def fetch(place: Place, version: int, topic: Mapping[str, Any], offset: int) -> tuple[Any, bytes]:
    """Return the partition in a Fetch answer, and its records."""
    numbers = {"partition": 0, "fetch_offset": offset, "session_epoch": -1, "current_leader_epoch": -1}
    limits = {"max_bytes": 1 << 20, "partition_max_bytes": 1 << 20, "replica_id": -1}
    question = simplest(request_type(Api.FETCH, version), {**topic, **numbers, **limits})
    question = replace(question, forgotten_topics_data=()) if hasattr(question, "forgotten_topics_data") else question
    body = ask(place, Api.FETCH, version, encode(question))
    assert body is not None
    ((partition,),) = (each.partitions for each in decode(response_type(Api.FETCH, version), body).responses)
    return partition, partition.records or b""


def everything(place: Place, topic: Mapping[str, Any], version: int = 12) -> list[Batch]:
    """Return all batches of the partition; an answer has those of one segment."""
    found: list[Batch] = []
    while batches := batches_in(fetch(place, version, topic, found[-1].next_offset if found else 0)[1]):
        found += batches
    return found


def same_records(direct: Place, door: Place, topic: Mapping[str, Any]) -> list[Batch]:
    """Fail unless the broker and its door hand out the same bytes, in every version; return the batches."""
    low, high = known_versions(Api.FETCH) or (0, -1)
    found: list[Batch] = []
    for version in range(low, high + 1):
        found.clear()
        while True:
            offset = found[-1].next_offset if found else 0
            (first, records), (second, same), later = (
                fetch(place, version, topic, offset) for place in (direct, door, direct)
            )
            if later != (first, records):
                continue  # the cleaner was at work meanwhile
            assert same == records, f"version {version}"
            assert second == first, f"version {version}"
            if not records:
                break
            found += batches_in(records)
    return found


def gaps(batches: list[Batch]) -> int:
    """Return how often offsets are missing between batches, or before the first."""
    return sum(
        after.base_offset > before
        for before, after in zip([0, *(b.next_offset for b in batches)], batches, strict=False)
    )


@pytest.fixture
def led(
    request: pytest.FixtureRequest, three_brokers: BlockingCluster, gateway: RunningGateway, fresh_name: str
) -> Led:
    """A topic of one partition, with the settings that the test asks for."""
    three_brokers.create_topic(fresh_name, 1, getattr(request, "param", {}))
    some_host, _, some_port = three_brokers.bootstrap[0].rpartition(":")
    question = simplest(request_type(Api.METADATA, 12), {"name": fresh_name, "topic_id": None})
    partitions: Any = ()
    while not partitions:  # the lab waits for leaders, but asks any one of the brokers; this one may not know yet
        body = ask(Place(some_host, int(some_port)), Api.METADATA, 12, encode(question))
        assert body is not None
        answer = decode(response_type(Api.METADATA, 12), body)
        (topic,) = answer.topics
        partitions = topic.partitions
    leader = partitions[0].leader_id
    (broker,) = (each for each in answer.brokers if each.node_id == leader)
    host, _, port = gateway.bootstrap.rpartition(":")
    names = {"topic": fresh_name, "topic_id": topic.topic_id}
    return Led(fresh_name, names, Place(broker.host, broker.port), Place(host, int(port) + 1 + leader))


def test_batches_of_transactions_and_their_control_batches_pass_to_the_byte(gateway: RunningGateway, led: Led):
    write(idempotent(gateway), led.topic, "x", "y", "z")
    write_transactions(gateway, led.topic)
    while sum(bool(each.attributes & CONTROL) for each in everything(led.direct, led.names)) < 2:
        pass  # a marker is written when the end of the transaction has been answered
    batches = same_records(led.direct, led.door, led.names)
    plain = [each for each in batches if not each.attributes & TRANSACTIONAL]
    assert [each.sequence for each in plain] == [0, 1, 2]
    assert len({each.producer_id for each in batches}) == 2
    assert sum(bool(each.attributes & CONTROL) for each in batches) == 2, "a commit and an abort"
    assert len(batches) == 9


COMPACTED_AT_ONCE = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}


@pytest.mark.parametrize("led", [COMPACTED_AT_ONCE], indirect=True, ids=["compacted"])
def test_what_compaction_has_left_passes_to_the_byte_with_its_gaps_and_empty_batches(gateway: RunningGateway, led: Led):
    write(idempotent(gateway), led.topic, "k", "k", "k")
    producer = idempotent(gateway)
    while not gaps(left := everything(led.direct, led.names)) or all(
        each.records for each in left
    ):  # the test's own time limit ends it
        write(producer, led.topic, "k")  # a segment is rolled, and may be compacted, when one more record comes
        producer.poll(0.2)
    batches = same_records(led.direct, led.door, led.names)
    assert gaps(batches)
    assert any(each.records == 0 for each in batches), "the last batch of the first producer, whose record is gone"
