"""What the brokers themselves say, asked around the gateway with confluent-kafka. All methods block."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import kafka
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic
from kafka.errors import CoordinatorLoadInProgressError
from kio.schema.describe_groups.v5.request import DescribeGroupsRequest
from kio.schema.describe_groups.v5.response import DescribeGroupsResponse
from kio.schema.errors import ErrorCode
from kio.schema.types import GroupId
from kio.serial import entity_reader

from tests.gateway import messages

SECONDS = 30.0
_LOOK = 0.1


class Written(NamedTuple):
    """A record in the log."""

    value: str
    partition: int
    offset: int


class Members(NamedTuple):
    """Who shares a group's partitions: how many each member has, most first."""

    shares: tuple[int, ...]
    new_protocol: bool


class Truth:
    """The cluster as it is."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._settings)

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic and wait until all of its partitions have leaders."""
        self._admin.create_topics([NewTopic(topic, partitions, 3)])[topic].result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while self.partitions(topic) != partitions:
            if time.monotonic() > deadline:
                raise TimeoutError(f"topic {topic} has no leaders after {SECONDS:g} s")
            time.sleep(_LOOK)

    def partitions(self, topic: str) -> int:
        """Return how many partitions of a topic have leaders; 0 where there is no such topic."""
        return sum(leader >= 0 for leader in self.leaders(topic).values())

    def leaders(self, topic: str) -> dict[int, int]:
        """Return partition -> its leader's node id, -1 where there is none; nothing where there is no such topic."""
        found = self._admin.list_topics(timeout=SECONDS).topics.get(topic)
        return {number: each.leader for number, each in found.partitions.items()} if found else {}

    def delete(self, mark: str) -> None:
        """Delete all topics that have this in their names; does not wait until they are gone."""
        topics = [each for each in self._admin.list_topics(timeout=SECONDS).topics if mark in each]
        for future in self._admin.delete_topics(topics).values() if topics else ():
            future.result(SECONDS)

    def write(self, topic: str, values: Iterable[str], partitions: int) -> None:
        """Write records, in turn over the partitions."""
        producer = Producer({**self._settings, "enable.idempotence": True, "linger.ms": 0})
        for number, value in enumerate(values):
            producer.produce(topic, value, key=value, partition=number % partitions)
        if producer.flush(SECONDS):
            raise TimeoutError(f"records for {topic} were not acknowledged in {SECONDS:g} s")

    def read(self, topic: str, *, committed: bool = False) -> list[Written]:
        """Return all records of a topic; `committed`: without those of aborted transactions."""
        isolation = "read_committed" if committed else "read_uncommitted"
        own = {"group.id": "-", "enable.partition.eof": True, "isolation.level": isolation}
        consumer = Consumer({**self._settings, **own})
        try:
            unread = set(self._admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in unread])
            found = []
            while unread:
                messages = consumer.consume(1, SECONDS)
                if not messages:
                    raise TimeoutError(f"topic {topic} could not be read to its end in {SECONDS:g} s")
                error, value = messages[0].error(), messages[0].value()
                if error is None:
                    found.append(
                        Written((value or b"").decode(), _known(messages[0].partition()), _known(messages[0].offset()))
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(_known(messages[0].partition()))
                else:
                    raise KafkaException(error)
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return partition -> committed place, but for partitions without one."""
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(SECONDS).topic_partitions
        return {each.partition: each.offset for each in found if each.topic == topic and each.offset > 0}

    def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """Return partition -> end of the log, but for empty ones."""
        consumer = Consumer({**self._settings, "group.id": "-"})
        try:
            found = {
                each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=SECONDS)[1]
                for each in range(partitions)
            }
            return {each: end for each, end in found.items() if end}
        finally:
            consumer.close()

    def members(self, group: str) -> Members:
        """Return how a group's partitions are shared now; nobody where the group does not exist (yet)."""
        try:
            found = self._admin.describe_consumer_groups([group])[group].result(SECONDS)
        except KafkaException as error:
            if error.args[0].code() in {KafkaError.GROUP_ID_NOT_FOUND, KafkaError.COORDINATOR_NOT_AVAILABLE}:
                return Members((), new_protocol=False)
            raise
        shares = (len(each.assignment.topic_partitions) if each.assignment else 0 for each in found.members)
        return Members(tuple(sorted(shares, reverse=True)), found.type == ConsumerGroupType.CONSUMER)

    def group_kind(self, group: str) -> str:
        """Return what the brokers call a group's kind: classic, consumer, share, streams; empty where there is none."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self._bootstrap)  # librdkafka knows some only
        try:
            kinds = {each["group_id"]: each["group_type"] for each in admin.list_groups()}
        finally:
            admin.close()
        return str(kinds.get(group, ""))

    def wait_ends(self) -> None:
        """Wait until every transaction whose end is decided has it in its partitions: a coordinator that was killed
        between the two does the rest when it is back. Raises TimeoutError.
        """
        deadline = time.monotonic() + SECONDS
        admin = kafka.KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            while undone := _undone(admin):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the end of {undone} is not in its partitions after {SECONDS:g} s")
                time.sleep(_LOOK)
        finally:
            admin.close()

    def workers(self, group: str) -> int:
        """Return how many members a group of Connect's workers has.

        Client libraries take their assignments for a consumer's and fail, so each broker is asked in plain bytes; those
        that are not the group's coordinator say so.
        """
        question = DescribeGroupsRequest(groups=(GroupId(group),), include_authorized_operations=False)
        frame = messages.request(
            DescribeGroupsRequest.__api_key__, DescribeGroupsRequest.__version__, 1, messages.bytes_of(question)
        )
        found = 0
        for address in self._bootstrap.split(","):
            answer, _ = entity_reader(DescribeGroupsResponse)(_ask(address, frame), 0)
            found += sum(len(each.members) for each in answer.groups if each.error_code is ErrorCode.none)
        return found

    def configure_group(self, group: str, settings: Mapping[str, str]) -> None:
        """Set configs of a group, which need not exist yet."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
        for future in self._admin.incremental_alter_configs([resource]).values():
            future.result(SECONDS)


def _undone(admin: kafka.KafkaAdminClient) -> str:
    """Return transactions whose end is decided and not written everywhere; a coordinator that loads is one."""
    try:
        found = admin.list_transactions(state_filters=["PrepareCommit", "PrepareAbort"])
    except CoordinatorLoadInProgressError:
        return "what a coordinator loads"
    return ", ".join(each.transactional_id for listed in found.values() for each in listed)


def _known(number: int | None) -> int:
    assert number is not None, "only errors have no place"
    return number


def _ask(address: str, frame: bytes) -> bytes:
    """Send a request to a broker and return the body of its (flexible) response."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as sock, sock.makefile("rb") as answers:
        sock.sendall(frame)
        size = int.from_bytes(answers.read(4), "big")
        return answers.read(size)[5:]
