"""Members that had joined are told to join anew; everybody else hears what the coordinator says."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, ResponseVerdict
from appliance.exchange.message import Answer
from appliance.policies.positions.rejoin import Rejoin
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated, kinds_of

HEARTBEATS = ("ConsumerGroupHeartbeat", "ShareGroupHeartbeat", "StreamsGroupHeartbeat")
every_kind = pytest.mark.parametrize("kind", [k for api in HEARTBEATS for k in kinds_of(api)[::2]], ids=str)


def answer(kind: Kind, code: ErrorCode) -> bytes:
    entity = generated(kind._replace(direction="response").type, Random(kind.version), full=True)
    return written(replace(entity, error_code=code))


def verdict_on(kind: Kind, epoch: int, code: ErrorCode) -> ResponseVerdict:
    request = replace(generated(kind.type, Random(1), full=True), member_epoch=epoch)
    its, rejoin = question(kind, written(request)), Rejoin()
    assert rejoin.on_request(its) is None
    return rejoin.on_response(Answer(its, answer(kind, code)))


@every_kind
def test_a_member_whose_group_is_not_known_is_told_to_join(kind: Kind):
    assert verdict_on(kind, 7, ErrorCode.group_id_not_found) == Replace(answer(kind, ErrorCode.unknown_member_id))


@every_kind
@pytest.mark.parametrize("epoch", [0, -1, -2])
def test_a_client_that_joins_or_leaves_hears_that_there_is_no_group(kind: Kind, epoch: int):
    assert verdict_on(kind, epoch, ErrorCode.group_id_not_found) is None


@every_kind
@pytest.mark.parametrize("code", [ErrorCode.none, ErrorCode.not_coordinator, ErrorCode.fenced_member_epoch])
def test_any_other_answer_is_left_alone(kind: Kind, code: ErrorCode):
    assert verdict_on(kind, 7, code) is None


def test_only_these_heartbeats_are_looked_into_and_only_in_versions_that_can_be_read():
    rejoin = Rejoin()
    assert [key for key in range(100) if rejoin.wants_request(key, 1)] == [68, 76]
    assert [key for key in range(100) if rejoin.wants_response(key, 0)] == [68, 88]
    assert not rejoin.wants_request(68, 99)
