"""Members of the newer group protocols are told to send heartbeats soon enough to hear of a switchover."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from appliance.exchange.interceptor import Replace, ResponseVerdict
from appliance.exchange.message import Answer
from appliance.policies.positions.heartbeats import Heartbeats
from tests.policies.positions.messages import question, written
from tests.policies.positions.test_rejoin import every_kind
from tests.wire.messages import Kind, generated


def answer(kind: Kind, milliseconds: int) -> bytes:
    entity = generated(kind._replace(direction="response").type, Random(kind.version), full=True)
    return written(replace(entity, heartbeat_interval=timedelta(milliseconds=milliseconds)))


def verdict_on(kind: Kind, milliseconds: int) -> ResponseVerdict:
    request = generated(kind.type, Random(1), full=True)
    return Heartbeats().on_response(Answer(question(kind, written(request)), answer(kind, milliseconds)))


@every_kind
@pytest.mark.parametrize("milliseconds", [2001, 5000, 15000])
def test_a_long_interval_is_cut_to_two_seconds_and_nothing_else_is_changed(kind: Kind, milliseconds: int):
    assert verdict_on(kind, milliseconds) == Replace(answer(kind, 2000))


@every_kind
@pytest.mark.parametrize("milliseconds", [0, 1, 1000, 2000])
def test_an_interval_that_is_short_enough_or_none_is_left_alone(kind: Kind, milliseconds: int):
    assert verdict_on(kind, milliseconds) is None


def test_only_answers_to_these_heartbeats_are_looked_into_and_only_in_versions_that_can_be_read():
    heartbeats = Heartbeats()
    assert not any(heartbeats.wants_request(key, 0) for key in range(100))
    assert [key for key in range(100) if heartbeats.wants_response(key, 0)] == [68, 88]
    assert heartbeats.wants_response(76, 1)
    assert not heartbeats.wants_response(68, 99)
