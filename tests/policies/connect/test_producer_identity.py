"""Producer ids of two clusters never meet, and transactional producers keep theirs."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Close, Replace, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.exchange.topology import Knowledge
from appliance.policies.connect.producer_identity import ProducerIdentity, tag_of
from appliance.policies.standard import standard_interceptors
from appliance.resources.virtual_cluster import VirtualClusterSpec
from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.wire.messages import UNKNOWN_TAGS, Written, generated

KNOWN = known_versions(Api.INIT_PRODUCER_ID)
assert KNOWN is not None
VERSIONS = range(KNOWN[0], KNOWN[1] + 1)

every_version = pytest.mark.parametrize("version", VERSIONS)


def cluster(cluster_id: str | None = "cluster-a") -> Knowledge:
    knowledge = Knowledge("primary")
    knowledge.cluster_id = cluster_id
    return knowledge


def response(version: int, producer_id: int, error: ErrorCode = ErrorCode.none) -> bytes:
    message = generated(response_type(Api.INIT_PRODUCER_ID, version), Random(version), full=True)
    return Written(
        replace(message, producer_id=producer_id, error_code=error), UNKNOWN_TAGS if message.__flexible__ else ()
    ).bytes


def verdict_on(
    version: int, body: bytes, *, transactional_id: str | None = None, knowledge: Knowledge | None = None
) -> ResponseVerdict:
    """Return what the interceptor says to the response of a request with this transactional id."""
    identity = ProducerIdentity()
    request = generated(request_type(Api.INIT_PRODUCER_ID, version), Random(version), full=True)
    asked = encode(replace(request, transactional_id=transactional_id))
    question = Question(Api.INIT_PRODUCER_ID, version, 1, "writer", asked, knowledge or cluster())
    assert identity.on_request(question) is None
    return identity.on_response(Answer(question, body))


@every_version
def test_an_idempotent_producers_id_is_tagged_with_its_cluster(version: int):
    tagged = (tag_of("cluster-a") << 40) | 4711
    assert verdict_on(version, response(version, 4711)) == Replace(response(version, tagged))


@every_version
@pytest.mark.parametrize("transactional_id", ["tx", "", "x" * 200])
def test_a_transactional_producer_keeps_its_id(version: int, transactional_id: str):
    assert verdict_on(version, response(version, 4711), transactional_id=transactional_id) is None


@every_version
def test_an_error_is_left_alone(version: int):
    body = response(version, -1, ErrorCode.coordinator_load_in_progress)
    assert verdict_on(version, body) is None
    assert verdict_on(version, body, knowledge=cluster(None)) is None


@every_version
@pytest.mark.parametrize("unknown", [None, ""])
def test_without_the_clusters_id_nobody_gets_a_producer_id(version: int, unknown: str | None):
    verdict = verdict_on(version, response(version, 4711), knowledge=cluster(unknown))
    assert isinstance(verdict, Close)
    assert "the id of cluster primary is not known yet" in verdict.reason
    assert verdict_on(version, response(version, 4711), transactional_id="tx", knowledge=cluster(unknown)) is None


@pytest.mark.parametrize("version", [-1, VERSIONS[-1] + 1, 99])
def test_a_version_that_was_not_offered_closes_the_connection(version: int):
    question = Question(Api.INIT_PRODUCER_ID, version, 1, "writer", b"\0\0\0\0", cluster())
    verdict = ProducerIdentity().on_request(question)
    assert isinstance(verdict, Close)
    assert f"InitProducerId version {version}" in verdict.reason


def test_only_init_producer_id_is_looked_into():
    identity = ProducerIdentity()
    for wants in (identity.wants_request, identity.wants_response):
        assert [key for key in range(100) if wants(key, 0)] == [Api.INIT_PRODUCER_ID]


@given(cluster_id=st.text(min_size=1), producer_id=st.integers(0, 2**40 - 1))
def test_a_tagged_id_is_positive_and_gives_both_parts_back(cluster_id: str, producer_id: int):
    verdict = verdict_on(4, response(4, producer_id), knowledge=cluster(cluster_id))
    assert isinstance(verdict, Replace)
    kind = response_type(Api.INIT_PRODUCER_ID, 4)
    # kio reads no unknown tags; the id stands in front of them.
    shown = int.from_bytes(verdict.body[6:14], "big", signed=True)
    assert shown > 0
    assert (shown >> 40, shown & (2**40 - 1)) == (tag_of(cluster_id), producer_id)
    plain = replace(generated(kind, Random(4), full=True), producer_id=shown, error_code=ErrorCode.none)
    assert decode(kind, encode(plain)).producer_id == shown


@given(st.text())
def test_a_tag_has_22_bits_and_is_never_0(cluster_id: str):
    assert 1 <= tag_of(cluster_id) < 2**22


def test_a_tag_is_the_same_in_every_gateway_and_release():
    # A changed tag would give running producers' ids to others: these values must never change.
    assert tag_of("MkU3OEVBNTcwNTJENDM2Qk") == 3946542
    assert tag_of("cluster-a") != tag_of("cluster-b")


def test_two_clusters_rarely_share_a_tag():
    assert len({tag_of(f"cluster-{number}") for number in range(200)}) == 200


def test_it_is_part_of_every_virtual_cluster_that_does_not_refuse_it():
    assert [type(each) for each in standard_interceptors(VirtualClusterSpec(cluster="primary"))] == [ProducerIdentity]
    assert standard_interceptors(VirtualClusterSpec(cluster="primary", producer_ids="plain")) == ()
