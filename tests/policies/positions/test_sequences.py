"""A producer that comes back to a cluster is one that the cluster has never heard of."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from confluent_kafka import KafkaException, Producer

from appliance.exchange.interceptor import Replace
from appliance.harness import BlockingLab
from appliance.policies.connect.producer_identity import tag_of
from appliance.policies.positions.sequences import Sequences
from tests.policies.positions.messages import question, written
from tests.policies.positions.scene import PATIENCE, Switching, opened
from tests.wire.messages import Kind, generated, kinds_of

TAGGED = tag_of("cluster-a") << 40 | 4711
ID = slice(43, 51)

every_version = pytest.mark.parametrize("kind", [k for k in kinds_of("Produce") if k.direction == "request"], ids=str)


def batch(producer_id: int, *, transactional: bool = False, count: int = 3) -> bytes:
    """Return a record batch as clients write it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=transactional, producer_id=producer_id,
        producer_epoch=0, base_sequence=70, batch_size=10_000,
    )  # fmt: skip
    for number in range(count):
        builder.append(number, timestamp=1, key=b"k", value=b"v" * 50, headers=[])
    return bytes(builder.build())


def request(kind: Kind, records: bytes | None) -> bytes:
    """Return a Produce request in which every partition has these records."""
    entity: Any = generated(kind.type, Random(kind.version), full=True)
    topics = tuple(
        replace(topic, partition_data=tuple(replace(each, records=records) for each in topic.partition_data))
        for topic in entity.topic_data
    )
    assert topics
    return written(replace(entity, topic_data=topics))


def numbered(records: bytes, number: int) -> bytes:
    """Return a batch with the number in its id, built anew."""
    (producer_id,) = struct.unpack(">q", records[ID])
    return batch(producer_id ^ number << 32)


@every_version
def test_tagged_ids_get_the_number_of_the_switch_and_the_batch_stays_whole(kind: Kind):
    records = batch(TAGGED) + batch(TAGGED + 1)
    expected = numbered(batch(TAGGED), 2) + numbered(batch(TAGGED + 1), 2)
    asked = question(kind, request(kind, records))
    assert Sequences("standby", 2).on_request(asked) == Replace(request(kind, expected))
    assert DefaultRecordBatch(expected[: len(expected) // 2]).validate_crc()


@every_version
def test_records_are_changed_where_they_stand(kind: Kind):
    asked = question(kind, request(kind, batch(TAGGED)))
    asked.body = bytearray(asked.body)
    assert Sequences("standby", 2).on_request(asked) is None
    assert asked.body == request(kind, numbered(batch(TAGGED), 2))


def test_each_switch_makes_another_producer_of_it():
    kind = kinds_of("Produce")[-2]._replace(direction="request")
    asked = question(kind, request(kind, batch(TAGGED)))
    bodies = [
        verdict.body for n in range(2, 6) if isinstance(verdict := Sequences("standby", n).on_request(asked), Replace)
    ]
    assert len(set(bodies)) == 4


@every_version
@pytest.mark.parametrize(
    "records",
    [batch(-1), batch(4711), batch(TAGGED, transactional=True), batch(TAGGED)[:-1], batch(TAGGED)[:30], b"", None],
    ids=["no id", "no tag", "a transaction's", "cut off", "no head", "empty", "null"],
)
def test_all_else_is_left_alone(kind: Kind, records: bytes | None):
    if records is None and kind.version < 3:
        records = b""
    assert Sequences("standby", 2).on_request(question(kind, request(kind, records))) is None


def test_a_connection_to_the_cluster_that_served_before_is_left_alone():
    kind = kinds_of("Produce")[-2]._replace(direction="request")
    asked = question(kind, request(kind, batch(TAGGED)), cluster="primary")
    assert Sequences("standby", 2).on_request(asked) is None


def test_a_batch_that_was_damaged_on_its_way_stays_damaged():
    kind = kinds_of("Produce")[-2]._replace(direction="request")
    damaged = bytearray(batch(TAGGED))
    damaged[-3] ^= 1
    verdict = Sequences("standby", 2).on_request(question(kind, request(kind, bytes(damaged))))
    assert isinstance(verdict, Replace)
    expected = bytearray(numbered(bytes(batch(TAGGED)), 2))
    expected[-3] ^= 1
    assert verdict.body == request(kind, bytes(expected))
    assert not DefaultRecordBatch(bytes(expected)).validate_crc()


def there_and_back(here: Switching) -> None:
    """Write on the primary, on the standby, and on the primary again, with one producer. Raises KafkaException."""
    failed: list[str] = []
    with Producer({"bootstrap.servers": here.bootstrap, "enable.idempotence": True, "log_level": 0}) as producer:
        for number, to in enumerate(("standby", "primary", "standby", "primary", None)):
            for each in range(10):
                producer.produce(
                    here.topic, f"{number}-{each}", partition=0,
                    on_delivery=lambda error, _: failed.append(str(error)) if error else None,
                )  # fmt: skip
            assert producer.flush(PATIENCE) == 0
            producer.poll(0)
            if to is not None:
                here.switch(to)
    assert failed == []


@pytest.mark.kafka
@pytest.mark.parametrize("workers", [1, 2])
def test_an_idempotent_producer_lives_through_the_way_back(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, workers: int
):
    two_clusters.clusters["primary"].create_topic(fresh_name)
    two_clusters.clusters["standby"].create_topic(fresh_name)
    with opened(two_clusters, tmp_path, fresh_name, workers=workers) as here:
        there_and_back(here)


@pytest.mark.kafka
def test_without_the_remedy_it_dies_of_the_sequence_numbers_that_the_cluster_remembers(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str
):
    two_clusters.clusters["primary"].create_topic(fresh_name)
    two_clusters.clusters["standby"].create_topic(fresh_name)
    with (
        opened(two_clusters, tmp_path, fresh_name, "producer_ids: plain") as here,
        pytest.raises(
            (KafkaException, AssertionError), match=r"OUT_OF_ORDER_SEQUENCE_NUMBER|sequence desynchronization"
        ),
    ):
        there_and_back(here)
