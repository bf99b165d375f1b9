"""Members that had joined are told to join anew; everybody else hears what the coordinator says."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, ResponseVerdict
from appliance.exchange.message import Answer
from appliance.policies.positions.members import Instance, Members
from appliance.policies.positions.rejoin import Rejoin
from appliance.wire.apis import Api
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated, kinds_of

HEARTBEATS = ("ConsumerGroupHeartbeat", "ShareGroupHeartbeat", "StreamsGroupHeartbeat")
every_kind = pytest.mark.parametrize("kind", [k for api in HEARTBEATS for k in kinds_of(api)[::2]], ids=str)


def answer(kind: Kind, code: ErrorCode) -> bytes:
    entity = generated(kind._replace(direction="response").type, Random(kind.version), full=True)
    return written(replace(entity, error_code=code))


def verdict_on(kind: Kind, epoch: int, code: ErrorCode) -> ResponseVerdict:
    request = replace(generated(kind.type, Random(1), full=True), member_epoch=epoch)
    its, rejoin = question(kind, written(request)), Rejoin(Members())
    assert rejoin.on_request(its) is None
    return rejoin.on_response(Answer(its, answer(kind, code)))


@every_kind
@pytest.mark.parametrize("epoch", [7, -1, -2], ids=["lives", "leaves", "leaves for a while"])
def test_a_member_whose_group_is_not_known_is_told_to_join(kind: Kind, epoch: int):
    assert verdict_on(kind, epoch, ErrorCode.group_id_not_found) == Replace(answer(kind, ErrorCode.unknown_member_id))


@every_kind
def test_a_client_that_joins_hears_that_there_is_no_group(kind: Kind):
    assert verdict_on(kind, 0, ErrorCode.group_id_not_found) is None


@every_kind
@pytest.mark.parametrize("code", [ErrorCode.none, ErrorCode.not_coordinator, ErrorCode.fenced_member_epoch])
def test_any_other_answer_is_left_alone(kind: Kind, code: ErrorCode):
    assert verdict_on(kind, 7, code) is None


def test_only_these_heartbeats_are_looked_into_and_only_in_versions_that_can_be_read():
    rejoin = Rejoin(Members())
    assert [key for key in range(100) if rejoin.wants_request(key, 1)] == [11, 68, 76]
    assert [key for key in range(100) if rejoin.wants_response(key, 0)] == [68, 88]
    assert not rejoin.wants_request(68, 99)


def members_of_the_other_side(*ids: str) -> Members:
    members = Members()
    for each in ids:
        members.heard(Instance("kafka-go", "10.0.0.9"), "billing", each, now=0.0)
    members.switched(1, now=1.0)
    return members


def joining(version: int, group: str, member: str) -> tuple[Kind, Any]:
    kind = Kind("JoinGroup", version, "request")
    return kind, replace(generated(kind.type, Random(version), full=True), group_id=group, member_id=member)


@pytest.mark.parametrize("version", range(4))
def test_who_joins_with_an_id_of_the_other_side_joins_without_one(version: int):
    kind, request = joining(version, "billing", "old-1")
    verdict = Rejoin(members_of_the_other_side("old-1", "old-2")).on_request(question(kind, written(request)))
    assert verdict == Replace(written(replace(request, member_id="")))


@pytest.mark.parametrize(("group", "member"), [("billing", "new-1"), ("billing", ""), ("audit", "old-1")])
def test_who_joins_with_another_id_or_none_is_left_alone(group: str, member: str):
    kind, request = joining(2, group, member)
    assert Rejoin(members_of_the_other_side("old-1")).on_request(question(kind, written(request))) is None


def test_who_is_sent_for_an_id_anyway_is_left_alone():
    assert not Rejoin(Members()).wants_request(Api.JOIN_GROUP, 4)
