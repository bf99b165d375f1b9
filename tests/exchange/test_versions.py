"""A client is offered what the broker has, cut only where the gateway must read along."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from kio.schema.api_versions.v4.response import ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey
from kio.schema.errors import ErrorCode
from kio.static.primitive import i16, i32Timedelta

from appliance.exchange.versions import DECODED, answer, limited, newest_api_versions, unsupported
from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import decode, encode, response_type
from appliance.wire.errors import Malformed
from tests.wire.messages import UNKNOWN_TAGS, Written, generated

VERSIONS = range(5)


def offer(version: int, ranges: dict[int, tuple[int, int]], error: ErrorCode = ErrorCode.none) -> Any:
    kind = response_type(Api.API_VERSIONS, version)
    (entry,) = kind.__dataclass_fields__["api_keys"].type.__args__[:1]
    message = generated(kind, Random(version), full=True)
    entries = tuple(entry(api_key=key, min_version=low, max_version=high) for key, (low, high) in ranges.items())
    return replace(message, api_keys=entries, error_code=error)


BROKER = {
    int(Api.FETCH): (4, 99),
    int(Api.METADATA): (0, 12),
    int(Api.INIT_PRODUCER_ID): (0, 99),
    15: (0, 99),
    4711: (0, 3),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_ranges_are_cut_only_where_the_gateway_must_read(version: int):
    assert newest_api_versions() == VERSIONS[-1]
    fetch, init = known_versions(Api.FETCH), known_versions(Api.INIT_PRODUCER_ID)
    assert fetch is not None
    assert init is not None
    body = encode(offer(version, BROKER))
    expected = offer(
        version,
        BROKER | {int(Api.FETCH): (4, fetch[1]), int(Api.INIT_PRODUCER_ID): (0, init[1])},
    )
    assert decode(response_type(Api.API_VERSIONS, version), limited(version, body, 0, len(body))) == expected


@pytest.mark.parametrize(("lowest", "offered"), [(0, 0), (2, 0), (3, 0), (4, 4)])
@pytest.mark.parametrize("version", VERSIONS)
def test_librdkafka_finds_the_oldest_produce_as_long_as_the_broker_has_the_oldest_that_is_served(
    version: int, lowest: int, offered: int
):
    """KAFKA-18659: otherwise it believes that the broker knows no compression codec but the oldest."""
    body = encode(offer(version, {int(Api.PRODUCE): (lowest, 13)}))
    assert limited(version, body, 0, len(body)) == encode(offer(version, {int(Api.PRODUCE): (offered, 13)}))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_whose_lowest_is_above_ours_keeps_its_lowest(version: int):
    body = encode(offer(version, {int(Api.FETCH): (50, 60)}))
    assert limited(version, body, 0, len(body)) == encode(offer(version, {int(Api.FETCH): (50, 50)}))


@pytest.mark.parametrize("version", [3, 4])
def test_unknown_tags_survive(version: int):
    body = Written(offer(version, {12: (0, 1)}), UNKNOWN_TAGS).bytes
    assert limited(version, body, 0, len(body)) == body


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_that_does_not_know_the_version_answers_in_version_0(version: int):
    error = ErrorCode.unsupported_version
    body = encode(offer(0, BROKER, error))
    answer = decode(response_type(Api.API_VERSIONS, 0), limited(version, body, 0, len(body)))
    assert answer.error_code is error
    assert {each.api_key: each.max_version for each in answer.api_keys}[Api.FETCH] == (
        known_versions(Api.FETCH) or (0, 0)
    )[1]


def test_only_the_message_in_the_buffer_is_read_and_returned():
    body = encode(offer(0, {12: (0, 1)}))
    assert limited(0, b"before" + body + b"behind", 6, 6 + len(body)) == body


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_that_breaks_off_is_malformed(version: int):
    written = Written(offer(version, BROKER))
    body, last = written.bytes, max(end for path, _, end in written.leaves if path.startswith("api_keys."))
    for end in range(last):
        with pytest.raises(Malformed):
            limited(version, body, 0, end)


@pytest.mark.parametrize("version", [-1, 5, 99])
def test_only_an_error_answers_a_version_that_nobody_was_offered(version: int):
    with pytest.raises(Malformed, match=f"ApiVersions version {version}"):
        limited(version, b"\0" * 12, 0, 12)
    body = encode(offer(0, {12: (0, 1)}, ErrorCode.unsupported_version))
    assert limited(version, body, 0, len(body)) == body


def test_the_gateways_own_answer_lists_what_it_understands():
    answer = decode(response_type(Api.API_VERSIONS, 0), unsupported())
    assert answer.error_code is ErrorCode.unsupported_version
    assert [(each.api_key, each.min_version, each.max_version) for each in answer.api_keys] == [(18, 0, 4)]


def test_all_that_is_read_on_every_connection_has_layouts():
    assert all(known_versions(key) for key in DECODED)


@pytest.mark.parametrize("version", range(newest_api_versions() + 1))
def test_the_gateways_own_answer_tells_the_features_of_the_cluster(version: int):
    supported = SupportedFeatureKey(name="share.version", min_version=i16(0), max_version=i16(1))
    finalized = FinalizedFeatureKey(name="share.version", max_version_level=i16(1), min_version_level=i16(1))
    offered = ApiVersionsResponse(
        error_code=ErrorCode.none,
        api_keys=(),
        throttle_time=i32Timedelta.parse(timedelta(0)),
        supported_features=(supported,),
        finalized_features=(finalized,),
    )
    answered_in, body = answer(version, offered)
    told: Any = decode(response_type(Api.API_VERSIONS, version), body)
    assert answered_in == version
    if version >= 3:
        assert [(each.name, each.max_version) for each in told.supported_features] == [("share.version", 1)]
        assert [(each.name, each.max_version_level) for each in told.finalized_features] == [("share.version", 1)]
