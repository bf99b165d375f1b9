"""Where a request's and a response's body begin, in every header version, and whether a Produce request is answered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.apis import (
    KEYS,
    Api,
    known_versions,
    name_of,
    request_header_version,
    response_header_version,
)
from appliance.wire.codec import encode, request_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import (
    REQUEST_HEAD,
    RESPONSE_HEAD,
    is_known_write,
    produce_acks,
    request_frame,
    request_header,
    response_body,
    response_frame,
)
from tests.wire.messages import APIS, UNKNOWN_TAGS, generated, kinds_of, uvarint

TAGS = uvarint(len(UNKNOWN_TAGS)) + b"".join(uvarint(tag) + uvarint(len(data)) + data for tag, data in UNKNOWN_TAGS)


@pytest.mark.parametrize("api", APIS)
def test_header_versions_are_those_of_the_message_definitions(api: str):
    for kind in kinds_of(api):
        declared = int(kind.type.__header_schema__.__version__)
        own = request_header_version if kind.direction == "request" else response_header_version
        assert own(kind.key, kind.version) == declared, kind


@pytest.mark.parametrize("api", APIS)
def test_the_body_begins_behind_the_header(api: str):
    for kind in kinds_of(api):
        if kind.direction == "request":
            frame = request_frame(kind.key, kind.version, 17, "café", b"BODY")
            header = request_header(b"..." + frame, 3, 3 + len(frame))
            assert header[:4] == (kind.key, kind.version, 17, "café")
            assert frame[header.body - 3 :] == b"BODY"
        else:
            frame = response_frame(kind.key, kind.version, 17, b"BODY")
            assert RESPONSE_HEAD.unpack_from(frame) == (len(frame) - 4, 17)
            assert frame[response_body(frame, 0, len(frame), kind.key, kind.version) :] == b"BODY"


def test_an_api_versions_answer_has_the_old_header_in_all_versions():
    assert response_frame(Api.API_VERSIONS, 4, 1, b"x") == RESPONSE_HEAD.pack(5, 1) + b"x"


def test_a_client_without_an_id_has_an_empty_one():
    for version, tags in ((2, b""), (9, b"\0")):
        frame = REQUEST_HEAD.pack(14, Api.METADATA, version, 3) + b"\xff\xff" + tags + b"BODY"
        header = request_header(frame, 0, len(frame))
        assert header.client_id == ""
        assert frame[header.body :] == b"BODY"


def test_a_client_id_that_is_no_utf_8_is_shown_as_far_as_it_can_be():
    frame = REQUEST_HEAD.pack(13, Api.METADATA, 2, 3) + b"\0\x03a\xffb"
    assert request_header(frame, 0, len(frame)).client_id == "a\N{REPLACEMENT CHARACTER}b"


def test_unknown_tags_in_headers_are_passed_over():
    frame = REQUEST_HEAD.pack(0, Api.METADATA, 9, 3) + b"\0\x01a" + TAGS + b"BODY"
    assert frame[request_header(frame, 0, len(frame)).body :] == b"BODY"
    frame = RESPONSE_HEAD.pack(0, 3) + TAGS + b"BODY"
    assert frame[response_body(frame, 0, len(frame), Api.METADATA, 9) :] == b"BODY"


@pytest.mark.parametrize(("api_key", "version"), [(Api.METADATA, 13), (4711, 0), (Api.METADATA, 99)])
def test_a_header_that_breaks_off_is_malformed_at_every_byte(api_key: int, version: int):
    request = REQUEST_HEAD.pack(0, api_key, version, 3) + b"\0\x01a" + TAGS
    for end in range(len(request)):
        with pytest.raises(Malformed):
            request_header(request, 0, end)
    response = RESPONSE_HEAD.pack(0, 3) + TAGS
    for end in range(RESPONSE_HEAD.size, len(response)):
        with pytest.raises(Malformed):
            response_body(response, 0, end, api_key, version)


@given(junk=st.binary(max_size=40), api_key=st.integers(-(2**15), 2**15 - 1), version=st.integers(-(2**15), 2**15 - 1))
def test_whatever_the_bytes_headers_are_malformed_at_worst(junk: bytes, api_key: int, version: int):
    frame = REQUEST_HEAD.pack(len(junk) + 10, api_key, version, 1) + junk
    with suppress(Malformed):
        assert 0 < request_header(frame, 0, len(frame)).body <= len(frame)
    with suppress(Malformed):
        assert 0 < response_body(frame, 0, len(frame), api_key, version) <= len(frame)


def test_apis_from_the_future_are_taken_for_flexible():
    assert request_header_version(4711, 0) == 2
    assert request_header_version(Api.FETCH, 99) == 2
    assert response_header_version(4711, 0) == 1
    assert known_versions(4711) is None
    assert name_of(4711) == "api 4711"


def test_versions_below_all_that_we_know_are_not_flexible():
    assert request_header_version(Api.PRODUCE, 0) == 1
    assert response_header_version(Api.PRODUCE, 0) == 0


def test_names_are_those_of_the_protocol_guide():
    assert {name: int(Api[snake]) for snake, name in [("PRODUCE", "Produce"), ("API_VERSIONS", "ApiVersions")]} == {
        name: KEYS[name] for name in ("Produce", "ApiVersions")
    }
    assert all(name_of(each).replace("_", "").upper() == each.name.replace("_", "") for each in Api)


@pytest.mark.parametrize("version", range(3, 14))
def test_acks_are_found_as_soon_as_their_bytes_have_come(version: int):
    message = generated(request_type(Api.PRODUCE, version), Random(version), full=True)
    for transactional_id in (None, "", "tx-1", "x" * 300):
        for acks in (-1, 0, 1):
            body = encode(replace(message, transactional_id=transactional_id, acks=acks))
            id_length = len(transactional_id or "")
            needed = id_length + (2 if version < 9 or id_length >= 127 else 1) + 2
            heard = [produce_acks(version, b"header" + body, 6, 6 + end) for end in range(len(body) + 1)]
            assert heard == [None] * needed + [acks] * (len(body) + 1 - needed)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_acks_come_first_before_there_were_transactions(version: int):
    assert produce_acks(version, b"\0\0rest", 0, 6) == 0
    assert produce_acks(version, b"\xff\xff", 0, 2) == -1
    assert produce_acks(version, b"\0", 0, 1) is None


def test_what_writes_is_known():
    assert [name for name, key in sorted(KEYS.items()) if is_known_write(key)] == [
        "AddOffsetsToTxn",
        "AddPartitionsToTxn",
        "EndTxn",
        "Produce",
        "TxnOffsetCommit",
    ]
