"""Leader epochs rise over a switch, and no request is refused for one of before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, Reply
from appliance.exchange.message import Answer
from appliance.policies.positions.leader_epochs import PER_SWITCH, LeaderEpochs
from appliance.wire.codec import decode, encode, response_type
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated, kinds_of

UNKNOWN = {"ListOffsets": "leader_epoch", "OffsetFetch": "committed_leader_epoch"}
REQUESTS = {"Fetch": "current_leader_epoch", "ListOffsets": "current_leader_epoch"}


def with_epochs(entity: Any, name: str, epoch: Callable[[int], int]) -> Any:
    """Return the message with other epochs in all fields of this name."""
    changes: dict[str, Any] = {}
    for each in fields(entity):
        value = getattr(entity, each.name)
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[each.name] = tuple(with_epochs(element, name, epoch) for element in value)
        elif each.name == name:
            changes[each.name] = epoch(value)
    return replace(entity, **changes)


def of(apis: dict[str, str], direction: str) -> list[Kind]:
    return [kind for api in apis for kind in kinds_of(api) if kind.direction == direction]


def check(kind: Kind, names: dict[str, str], ask: Callable[[bytes], object]) -> None:
    entity = generated(kind.type, Random(kind.version), full=True)
    expected = written(with_epochs(entity, names[kind.api], lambda _: -1))
    assert ask(written(entity)) == (Replace(expected) if expected != written(entity) else None)


@pytest.mark.parametrize("kind", of(UNKNOWN, "response"), ids=str)
def test_positions_come_without_an_epoch(kind: Kind):
    check(kind, UNKNOWN, lambda body: LeaderEpochs("standby", 1).on_response(Answer(question(kind), body)))


@pytest.mark.parametrize("kind", of(REQUESTS, "request"), ids=str)
def test_no_request_is_refused_for_an_epoch_of_before(kind: Kind):
    check(kind, REQUESTS, lambda body: LeaderEpochs("standby", 1).on_request(question(kind, body)))


@pytest.mark.parametrize("kind", of({"Metadata": ""}, "response"), ids=str)
@pytest.mark.parametrize(("cluster", "by"), [("standby", 3 * PER_SWITCH), ("primary", 2 * PER_SWITCH)])
def test_metadata_shows_epochs_that_rise_with_every_switch(kind: Kind, cluster: str, by: int):
    random = Random(kind.version)
    entity = with_epochs(generated(kind.type, random, full=True), "leader_epoch", lambda _: random.randint(0, 9))
    verdict = LeaderEpochs("standby", 3).on_response(Answer(question(kind, cluster=cluster), written(entity)))
    expected = written(with_epochs(entity, "leader_epoch", lambda epoch: epoch + by))
    assert verdict == (Replace(expected) if expected != written(entity) else None)


def test_a_partition_without_a_leader_stays_without_an_epoch():
    kind = Kind("Metadata", 12, "response")
    entity = with_epochs(generated(kind.type, Random(1), full=True), "leader_epoch", lambda _: -1)
    assert LeaderEpochs("standby", 1).on_response(Answer(question(kind), written(entity))) is None


@pytest.mark.parametrize("switches", [2046, 2047, 2048, 10**6])
def test_epochs_fit_their_field_however_often_it_was_switched(switches: int):
    kind = Kind("Metadata", 12, "response")
    entity = with_epochs(generated(kind.type, Random(1), full=True), "leader_epoch", lambda _: 2**31 - 1)
    verdict = LeaderEpochs("standby", switches).on_response(Answer(question(kind), written(entity)))
    assert isinstance(verdict, Replace)


@pytest.mark.parametrize("kind", of({"OffsetForLeaderEpoch": ""}, "request"), ids=str)
def test_a_position_is_right_whatever_epoch_it_has(kind: Kind):
    asked = generated(kind.type, Random(kind.version), full=True)
    verdict = LeaderEpochs("standby", 1).on_request(question(kind, encode(asked)))
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answered = decode(response_type(kind.key, kind.version), verdict.body)
    partitions = {(topic.topic, each.partition): each for topic in answered.topics for each in topic.partitions}
    assert {place: each.leader_epoch for place, each in partitions.items()} == {
        (topic.topic, each.partition): each.leader_epoch for topic in asked.topics for each in topic.partitions
    }
    assert {each.error_code for each in partitions.values()} == {ErrorCode.none}
    assert {each.end_offset for each in partitions.values()} == {2**63 - 1}


def test_answers_to_fetch_and_all_of_produce_are_not_touched():
    epochs = LeaderEpochs("standby", 1)
    assert not any(epochs.wants_response(1, version) for version in range(20))
    assert not any(epochs.wants_request(0, version) or epochs.wants_response(0, version) for version in range(20))
