"""Clients that were named are told to start over when they ask the cluster that serves no more for Metadata."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Reply, RequestVerdict
from appliance.exchange.software import UNTOLD, Software
from appliance.policies.positions.rebootstrap import Rebootstrap
from appliance.resources.consumer_switching import ClientSoftware
from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import decode, response_type
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated

_KNOWN = known_versions(Api.METADATA)
assert _KNOWN is not None
NEWEST = _KNOWN[1]
JAVA = Software("apache-kafka-java", "4.3.1")
TOLD = (ClientSoftware(software="apache-kafka-java", since="4.0"), ClientSoftware(software="librdkafka"))


def metadata(version: int) -> Kind:
    return Kind("Metadata", version, "request")


def verdict_on(software: Software, *, cluster: str = "primary", version: int = NEWEST) -> RequestVerdict:
    kind = metadata(version)
    asked = question(kind, written(generated(kind.type, Random(1), full=True)), cluster=cluster)
    return Rebootstrap("standby", TOLD).on_request(replace(asked, software=software))


@pytest.mark.parametrize("version", range(13, NEWEST + 1))
def test_a_client_that_is_named_is_told_and_nothing_else_is_said(version: int):
    verdict = verdict_on(JAVA, version=version)
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer = decode(response_type(Api.METADATA, version), verdict.body)
    assert answer.error_code is ErrorCode.rebootstrap_required
    assert (answer.brokers, answer.topics, answer.cluster_id, answer.controller_id) == ((), (), None, -1)


@pytest.mark.parametrize("software", [UNTOLD, Software("kgo", "v1.22.2"), Software("apache-kafka-java", "3.9.2")])
def test_all_others_are_not(software: Software):
    assert verdict_on(software) is None


def test_on_a_connection_to_the_cluster_that_serves_nobody_is():
    assert verdict_on(JAVA, cluster="standby") is None


def test_only_metadata_whose_answer_has_an_error_is_looked_into():
    its = Rebootstrap("standby", TOLD)
    wanted = {(key, version) for key in range(100) for version in range(30) if its.wants_request(key, version)}
    assert wanted == {(Api.METADATA, version) for version in range(13, NEWEST + 1)}
    assert not any(its.wants_response(key, version) for key in range(100) for version in range(30))
