"""Topics keep the ids that clients know: all APIs, all versions, both directions, and Fetch as it streams."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.exchange.interceptor import Close, Replace
from appliance.exchange.message import Answer
from appliance.exchange.streaming import PassingFetch
from appliance.policies.positions.continuous import Continuous
from appliance.policies.positions.offset_map import shifted
from appliance.policies.positions.offset_maps import PositionMaps, TopicId
from appliance.policies.positions.topic_ids import TopicIds
from appliance.wire.apis import Api, known_versions
from appliance.wire.layout import Direction
from tests.policies.positions import messages
from tests.policies.positions.messages import question, written
from tests.wire.messages import APIS, Kind, generated, kinds_of, leaf_paths

BY_ID = [
    kind
    for api in APIS
    for kind in kinds_of(api)
    if any(path.split(".")[-1] == "topic_id" for path in leaf_paths(kind.type))
]
"""All kinds of messages that name topics by id."""


def of(direction: Direction) -> list[Kind]:
    return [kind for kind in BY_ID if kind.direction == direction]


def ids_in(entity: Any) -> Iterator[bytes]:
    for each in fields(entity):
        value = getattr(entity, each.name)
        for element in value if isinstance(value, tuple) else (value,):
            if is_dataclass(element):
                yield from ids_in(element)
            elif each.name == "topic_id":
                yield element.bytes


def with_ids(entity: Any, ids: dict[bytes, bytes]) -> Any:
    """Return the message with other topic ids; what is not in `ids` stays."""
    changes: dict[str, Any] = {}
    for each in fields(entity):
        value = getattr(entity, each.name)
        if is_dataclass(value):
            changes[each.name] = with_ids(value, ids)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[each.name] = tuple(with_ids(element, ids) for element in value)
        elif each.name == "topic_id":
            changes[each.name] = uuid.UUID(bytes=ids.get(value.bytes, value.bytes))
    return replace(entity, **changes)


def some_other_ids(entity: Any) -> dict[bytes, bytes]:
    """Return other ids for all topics of a message but the last one, which is new on this side."""
    found = list(dict.fromkeys(ids_in(entity)))
    return {each: Random(each).randbytes(16) for each in found[: max(1, len(found) - 1)]}


def standby(own_to_known: dict[bytes, bytes]) -> TopicIds:
    """Return the remedy for a cluster with these ids."""
    ids = {own.hex(): TopicId(own, known) for own, known in own_to_known.items()}
    return TopicIds({"standby": ids})


def test_the_apis_that_name_topics_by_id_are_these():
    """A new one among them is covered, but should be looked at: does anything else in it belong to one cluster?"""
    assert {kind.api for kind in BY_ID} == NAMED


NAMED = {
    "AlterShareGroupOffsets",
    "AlterPartition",
    "AssignReplicasToDirs",
    "ConsumerGroupDescribe",
    "ConsumerGroupHeartbeat",
    "CreateTopics",
    "DeleteShareGroupOffsets",
    "DeleteShareGroupState",
    "DeleteTopics",
    "DescribeShareGroupOffsets",
    "DescribeTopicPartitions",
    "Fetch",
    "InitializeShareGroupState",
    "Metadata",
    "OffsetCommit",
    "OffsetFetch",
    "Produce",
    "ReadShareGroupState",
    "ReadShareGroupStateSummary",
    "ShareAcknowledge",
    "ShareFetch",
    "ShareGroupDescribe",
    "ShareGroupHeartbeat",
    "WriteShareGroupState",
}


@pytest.mark.parametrize("kind", of("request"), ids=str)
@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "in place"])
def test_a_request_asks_for_the_clusters_ids(kind: Kind, writable: bool):
    asked = generated(kind.type, Random(kind.version), full=True)
    known_to_own = some_other_ids(asked)
    remedy = standby({own: known for known, own in known_to_own.items()})
    body = bytearray(written(asked)) if writable else written(asked)
    verdict = remedy.on_request(question(kind, body))  # type: ignore[arg-type]
    expected = written(with_ids(asked, known_to_own))
    assert remedy.wants_request(kind.key, kind.version)
    assert (bytes(body) if writable else verdict) == (expected if writable else Replace(expected))


@pytest.mark.parametrize("kind", of("response"), ids=str)
@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "in place"])
def test_an_answer_shows_the_ids_that_clients_know(kind: Kind, writable: bool):
    answered = generated(kind.type, Random(kind.version), full=True)
    own_to_known = some_other_ids(answered)
    remedy = standby(own_to_known)
    body = bytearray(written(answered)) if writable else written(answered)
    verdict = remedy.on_response(Answer(question(kind), body))
    expected = written(with_ids(answered, own_to_known))
    assert remedy.wants_response(kind.key, kind.version)
    assert (bytes(body) if writable else verdict) == (expected if writable else Replace(expected))


def test_messages_without_topic_ids_are_not_looked_into():
    remedy = standby({})
    wanted = {
        (kind.api, kind.version, kind.direction)
        for api in APIS
        for kind in kinds_of(api)
        if (remedy.wants_request if kind.direction == "request" else remedy.wants_response)(kind.key, kind.version)
    }
    assert wanted == {(kind.api, kind.version, kind.direction) for kind in BY_ID}


def test_a_connection_to_the_side_that_gave_the_ids_is_left_alone():
    remedy = standby({b"b" * 16: b"a" * 16})
    kind = Kind("Fetch", 17, "request")
    body = written(generated(kind.type, Random(1), full=True))
    assert remedy.on_request(question(kind, body, cluster="primary")) is None
    assert remedy.on_response(Answer(question(kind, cluster="primary"), body)) is None
    assert remedy.passing(question(kind, cluster="primary")) is None


@pytest.mark.parametrize("api", [Api.FETCH, Api.CONSUMER_GROUP_HEARTBEAT, Api.METADATA])
def test_a_version_from_the_future_closes_the_connection(api: Api):
    remedy = standby({b"b" * 16: b"a" * 16})
    known = known_versions(api)
    assert known is not None
    asked = question(Kind("Fetch", 17, "request"))
    asked.api_key, asked.api_version = api, known[1] + 1
    assert remedy.wants_request(api, known[1] + 1)
    assert isinstance(remedy.on_request(asked), Close)


def test_an_api_from_the_future_passes():
    assert not standby({b"b" * 16: b"a" * 16}).wants_request(4711, 0)


# -- a response that streams


@settings(deadline=None, max_examples=60)
@given(
    version=st.integers(13, 18),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    seed=st.integers(0, 1000),
    continuous=st.booleans(),
)
def test_a_large_answer_is_changed_as_it_passes_in_any_chunking_also_with_its_offsets(
    version: int, cuts: list[int], seed: int, continuous: bool
):
    kind = Kind("Fetch", version, "response")
    answered = messages.message(kind, seed)
    own_to_known = {each: Random(each).randbytes(16) for each in ids_in(answered)}
    asked = question(kind)
    expected = with_ids(answered, own_to_known)
    patches = [standby(own_to_known).passing(asked)]
    if continuous:
        partitions = {}
        for topic_id, partition in messages.topics_in(expected):
            asked.knowledge.learn_topic(topic_id.bytes, f"topic-{topic_id}")
            partitions[f"topic-{topic_id}", partition] = shifted(300)
        maps = PositionMaps().with_cluster("standby", partitions)
        patches.append(Continuous(maps).passing(asked))
        expected = messages.moved(kind, expected, 300)
    # Its endpoints are another matter, and come last.
    body = written(replace(answered, **({"node_endpoints": ()} if version >= 16 else {})))
    wanted = written(replace(expected, **({"node_endpoints": ()} if version >= 16 else {})))
    passing, out, held, at = PassingFetch(version, len(body), [each for each in patches if each]), b"", bytearray(), 0
    for cut in [*sorted(min(each, len(body)) for each in cuts), len(body)]:
        held += body[at:cut]
        at = cut
        used = passing.pass_on(held, 0, len(held))
        out += held[:used]
        del held[:used]
    assert passing.done
    assert out == wanted
