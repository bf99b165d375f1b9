"""A cursor is handed back as it was given: topics described page by page through the gateway are the broker's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kio.schema.describe_topic_partitions.v0 import request as described
from kio.schema.describe_topic_partitions.v0.response import DescribeTopicPartitionsResponse
from kio.schema.types import TopicName
from kio.static.primitive import i32

from appliance.harness import BlockingCluster
from appliance.wire.apis import KEYS
from appliance.wire.codec import decode, encode
from tests.clients.asking import Place, ask
from tests.clients.conftest import RunningGateway

pytestmark = pytest.mark.kafka
PARTITIONS = 3


def pages(place: Place, topics: list[str], page: int) -> list[list[tuple[str, int]]]:
    """Return topic and partition of everything described, page by page."""
    question = described.DescribeTopicPartitionsRequest(
        topics=tuple(described.TopicRequest(name=TopicName(each)) for each in topics),
        response_partition_limit=i32(page),
        cursor=None,
    )
    found: list[list[tuple[str, int]]] = []
    while True:
        body = ask(place, KEYS["DescribeTopicPartitions"], 0, encode(question))
        assert body is not None
        answer: Any = decode(DescribeTopicPartitionsResponse, body)
        found.append([(topic.name, each.partition_index) for topic in answer.topics for each in topic.partitions])
        if answer.next_cursor is None:
            return found
        cursor = described.Cursor(
            topic_name=answer.next_cursor.topic_name, partition_index=answer.next_cursor.partition_index
        )
        question = replace(question, cursor=cursor)


@pytest.mark.parametrize("page", [1, 2, 4, 100])
def test_topics_are_described_page_by_page(
    three_brokers: BlockingCluster, gateway: RunningGateway, fresh_name: str, page: int
):
    topics = [f"{fresh_name}-{letter}" for letter in "abc"]
    for topic in topics:
        three_brokers.create_topic(topic, PARTITIONS)
    (host, _, port), (front, _, door) = three_brokers.bootstrap[0].rpartition(":"), gateway.bootstrap.rpartition(":")
    everything = [(topic, number) for topic in topics for number in range(PARTITIONS)]
    while pages(Place(host, int(port)), topics, 100) != [everything]:
        pass  # this broker has not heard of all topics yet; the test's own time limit ends it
    through = pages(Place(front, int(door)), topics, page)
    assert through == pages(Place(host, int(port)), topics, page)
    assert [each for one in through for each in one] == everything
