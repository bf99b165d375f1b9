"""What is new in Kafka works through the gateway: all kinds of groups, quotas, SCRAM credentials, telemetry."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from kio.schema.errors import ErrorCode
from kio.schema.streams_group_heartbeat.v0 import request as streams
from kio.schema.types import TopicName
from kio.static.primitive import i32, u16

from appliance.harness import BlockingCluster
from appliance.wire.apis import KEYS
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.clients.asking import Place, ask
from tests.clients.conftest import RunningGateway
from tests.clients.test_every_api import addresses, comparable, simplest

pytestmark = pytest.mark.kafka
ITS_OWN = ("app.example", 7070)
"""Where a Streams application says that it is reached: its affair, no broker's."""
# UNKNOWN_SERVER_ERROR: what a 4.3 coordinator of streams groups says while it has not heard of a new topic.
NOT_YET = {
    ErrorCode.coordinator_not_available,
    ErrorCode.not_coordinator,
    ErrorCode.coordinator_load_in_progress,
    ErrorCode.unknown_server_error,
}


def told(place: Place, api: str, version: int, values: Mapping[str, Any]) -> Any:
    """Ask a question that names these and return the answer."""
    key = KEYS[api]
    body = ask(place, key, version, encode(simplest(request_type(key, version), values)))
    assert body is not None
    return decode(response_type(key, version), body)


@pytest.fixture
def door(gateway: RunningGateway) -> Place:
    host, _, port = gateway.bootstrap.rpartition(":")
    return Place(host, int(port))


@pytest.fixture
def direct(three_brokers: BlockingCluster) -> Place:
    host, _, port = three_brokers.bootstrap[0].rpartition(":")
    return Place(host, int(port))


def coordinator(place: Place, group: str) -> Place:
    """Return where the group's coordinator is, as this place says."""
    while True:  # until the cluster has made the topic that it keeps groups in; the test's own time limit ends it
        answer = told(place, "FindCoordinator", 4, {"coordinator_keys": (group,)})
        if answer.coordinators[0].error_code is ErrorCode.none:
            (found,) = set(addresses(answer))
            return found


def joined(api: str, version: int, door: Place, group: str, values: Mapping[str, Any]) -> Any:
    """Join a group through the gateway, at its coordinator's door."""
    member = {"group_id": group, "member_id": str(uuid.uuid4()), "member_epoch": 0}
    while True:
        answer = told(coordinator(door, group), api, version, {**member, **values})
        if answer.error_code not in NOT_YET:
            assert answer.error_code is ErrorCode.none, answer
            assert answer.member_epoch > 0
            return answer


def same_description(api: str, version: int, direct: Place, door: Place, group: str) -> Any:
    """Describe a group directly and through the gateway, and return what is the same in both."""
    values = {"group_ids": (group,)}
    here, there = (told(coordinator(place, group), api, version, values) for place in (door, direct))
    assert comparable(here) == comparable(there)
    (described,) = here.groups
    assert described.error_code is ErrorCode.none
    assert len(described.members) == 1
    return described


def test_a_consumer_joins_a_group_of_the_new_protocol(direct: Place, door: Place, topic: str):
    values = {"subscribed_topic_names": (topic,), "subscribed_topic_regex": None, "topic_partitions": ()}
    joined("ConsumerGroupHeartbeat", 1, door, f"consumers-{topic}", values)
    described = same_description("ConsumerGroupDescribe", 1, direct, door, f"consumers-{topic}")
    assert described.members[0].subscribed_topic_names == (topic,)


def test_a_consumer_joins_a_share_group(direct: Place, door: Place, topic: str):
    joined("ShareGroupHeartbeat", 1, door, f"shares-{topic}", {"subscribed_topic_names": (topic,)})
    described = same_description("ShareGroupDescribe", 1, direct, door, f"shares-{topic}")
    assert described.members[0].subscribed_topic_names == (topic,)


def test_an_application_joins_a_streams_group_and_keeps_its_own_address(direct: Place, door: Place, topic: str):
    part = simplest(
        streams.Subtopology,
        {
            "subtopology_id": "0",
            "source_topics": (TopicName(topic),),
            **dict.fromkeys(("source_topic_regex", "state_changelog_topics", "repartition_sink_topics"), ()),
            **dict.fromkeys(("repartition_source_topics", "copartition_groups"), ()),
        },
    )
    host, port = ITS_OWN
    values = {
        "topology": streams.Topology(epoch=i32(0), subtopologies=(part,)),
        "user_endpoint": streams.Endpoint(host=host, port=u16(port)),
        "process_id": "process-1",
        **dict.fromkeys(("active_tasks", "standby_tasks", "warmup_tasks", "client_tags"), ()),
        **dict.fromkeys(("task_offsets", "task_end_offsets"), None),
    }
    group = f"streams-{topic}"
    joined("StreamsGroupHeartbeat", 0, door, group, values)
    described = same_description("StreamsGroupDescribe", 0, direct, door, group)
    endpoint = described.members[0].user_endpoint
    assert (endpoint.host, endpoint.port) == ITS_OWN


def test_quotas_that_are_set_through_the_gateway_are_in_force_at_the_broker(direct: Place, door: Place, topic: str):
    quota = {"entity_type": "user", "entity_name": topic, "key": "producer_byte_rate", "value": 1_000_000.0}
    (entry,) = told(door, "AlterClientQuotas", 1, quota).entries
    assert entry.error_code is ErrorCode.none
    question = {"entity_type": "user", "match_type": 0, "match": topic}
    while not (there := told(direct, "DescribeClientQuotas", 1, question)).entries:
        pass  # brokers hear of it a moment later; the test's own time limit ends it
    assert comparable(told(door, "DescribeClientQuotas", 1, question)) == comparable(there)
    assert there.entries[0].values[0].value == 1_000_000.0


def test_scram_credentials_that_are_set_through_the_gateway_are_at_the_broker(direct: Place, door: Place, topic: str):
    credentials = {"deletions": (), "name": topic, "mechanism": 1, "iterations": 4096}
    secrets = {"salt": b"salt" * 8, "salted_password": b"\x07" * 32}
    (result,) = told(door, "AlterUserScramCredentials", 0, {**credentials, **secrets}).results
    assert result.error_code is ErrorCode.none
    while told(direct, "DescribeUserScramCredentials", 0, {"name": topic}).results[0].error_code is not ErrorCode.none:
        pass  # brokers hear of it a moment later; the test's own time limit ends it
    here, there = (told(place, "DescribeUserScramCredentials", 0, {"name": topic}) for place in (door, direct))
    assert comparable(here) == comparable(there)
    assert there.results[0].credential_infos[0].iterations == 4096


def test_a_client_is_told_what_to_measure_and_may_say_that_it_ends(door: Place):
    subscribed = told(door, "GetTelemetrySubscriptions", 0, {})
    assert subscribed.error_code is ErrorCode.none
    assert subscribed.client_instance_id is not None
    known = {"client_instance_id": subscribed.client_instance_id, "subscription_id": subscribed.subscription_id}
    assert told(door, "PushTelemetry", 0, {**known, "terminating": True}).error_code is ErrorCode.none


def test_the_gateway_names_its_own_port_as_that_of_the_coordinator(door: Place, gateway: RunningGateway, topic: str):
    assert coordinator(door, topic).port in gateway.node_ports
