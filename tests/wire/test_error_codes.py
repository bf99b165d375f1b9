"""Error codes are found wherever a response has them, and bear Kafka's names."""

from __future__ import annotations

import datetime

import pytest
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v4 import response as coordinators
from kio.schema.types import BrokerId
from kio.static.primitive import i32, i32Timedelta

from appliance.wire.apis import NAMES, known_versions
from appliance.wire.codec import encode
from appliance.wire.error_codes import errors_in, name_of_error
from tests.gateway import messages

AT_ONCE = i32Timedelta.parse(datetime.timedelta())


def coordinator(code: ErrorCode) -> coordinators.Coordinator:
    return coordinators.Coordinator(
        key="group", node_id=BrokerId(1), host="host", port=i32(9092), error_code=code, error_message=None
    )


def test_each_place_counts_and_none_is_no_error():
    found = (ErrorCode.coordinator_not_available, ErrorCode.none, ErrorCode.coordinator_not_available)
    body = encode(
        coordinators.FindCoordinatorResponse(throttle_time=AT_ONCE, coordinators=tuple(map(coordinator, found)))
    )
    assert errors_in(10, 4, body) == [15, 15]


def test_an_answer_without_an_error_has_none():
    assert errors_in(messages.PRODUCE, messages.PRODUCE_VERSION, messages.produce_answer()) == []
    assert errors_in(messages.METADATA, messages.METADATA_VERSION, messages.metadata_answer({1: ("host", 1)})) == []


@pytest.mark.parametrize("body", [b"", b"\0", b"\xff" * 9])
def test_what_cannot_be_read_has_none(body: bytes):
    assert errors_in(messages.FETCH, messages.FETCH_VERSION, body) == []


def test_what_there_is_no_layout_for_has_none():
    assert errors_in(4711, 0, b"\0\x0f") == []
    assert errors_in(messages.PRODUCE, 999, b"\0\x0f") == []


def test_every_api_can_be_looked_into():
    for api_key in NAMES:
        versions = known_versions(api_key)
        assert versions is not None
        for version in range(versions[0], versions[1] + 1):
            assert errors_in(api_key, version, b"") == []


def test_names_are_kafkas():
    assert name_of_error(6) == "NOT_LEADER_OR_FOLLOWER"
    assert name_of_error(-1) == "UNKNOWN_SERVER_ERROR"
    assert name_of_error(29_999) == "OTHER", "a code from the wire does not make a name of its own"
