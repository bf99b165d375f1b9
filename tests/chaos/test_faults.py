"""What can be armed: only what a broker or a network could have caused, and every refusal says what would do."""

from __future__ import annotations

from typing import Any

import pytest
from kio.schema.errors import ErrorCode
from pydantic import ValidationError

from appliance.chaos.api_error import ApiError
from appliance.chaos.latency import Latency
from appliance.chaos.legality import LEGAL, error_named, names
from appliance.chaos.outage import ClusterOutage
from tests.chaos.requests import fault

LEGAL_TRIPLES = sorted((api, apply, code.name.upper()) for (api, apply), codes in LEGAL.items() for code in codes)
ILLEGAL_TRIPLES = [
    ("Produce", "before", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    ("Produce", "after", "NOT_ENOUGH_REPLICAS"),
    ("Produce", "after", "MESSAGE_TOO_LARGE"),
    ("Produce", "before", "LEADER_NOT_AVAILABLE"),
    ("Fetch", "before", "LEADER_NOT_AVAILABLE"),
    ("Fetch", "after", "NOT_ENOUGH_REPLICAS"),
    ("Produce", "before", "NONE"),
]


@pytest.mark.parametrize(("api", "apply", "code"), LEGAL_TRIPLES)
def test_every_legal_error_can_be_armed(api: str, apply: str, code: str):
    armed = fault(error={"code": code}, select={"apis": [api]}, apply=apply)
    assert isinstance(armed.interceptor, ApiError)
    assert armed.outage is None


@pytest.mark.parametrize(("api", "apply", "code"), ILLEGAL_TRIPLES)
def test_an_illegal_error_is_refused_with_the_legal_ones(api: str, apply: str, code: str):
    with pytest.raises(
        ValueError, match=f"error.code: no broker answers {api} with {code} {apply} applying it"
    ) as refusal:
        fault(error={"code": code}, select={"apis": [api]}, apply=apply)
    assert str(refusal.value).endswith(f"legal are {names(LEGAL[api, apply])}")


def test_java_consumers_know_every_error_that_fetch_may_carry():
    """Java's fetch path throws IllegalStateException at any other code."""
    known = {6, 9, 56, 74, 78, 3, 100, 103, 1, 29, 75, -1, 2}
    assert {code.value for code in LEGAL["Fetch", "before"]} <= known
    assert LEGAL["Fetch", "after"] == LEGAL["Fetch", "before"]


def test_what_was_appended_and_what_was_refused_are_told_apart():
    assert LEGAL["Produce", "before"] & LEGAL["Produce", "after"] == {ErrorCode.not_leader_or_follower}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"error": {"code": "NO_SUCH"}, "select": {"apis": ["Produce"]}}, "error.code: Kafka has no error NO_SUCH"),
        ({"error": {"code": "NOT_ENOUGH_REPLICAS"}}, "select.apis: say whose answers the error is put into"),
        (
            {"error": {"code": "NOT_ENOUGH_REPLICAS"}, "select": {"apis": ["Metadata"]}},
            "select.apis: errors can be injected into Produce and Fetch, not Metadata",
        ),
        (
            {"latency": {"delay": "1s"}, "select": {"apis": ["Produze"]}},
            "select.apis: expected a Kafka API such as Produce, found Produze",
        ),
        (
            {"latency": {"delay": "1s"}, "select": {"apis": ["Metadata"], "topic": "orders"}},
            "select.topic and select.partitions: only Produce, Fetch can be told apart by partition",
        ),
        (
            {"outage": {"cluster": "primary", "mode": "refuse"}, "select": {"topic": "orders"}},
            "an outage strikes all connections to its cluster: select and trigger do not apply",
        ),
        (
            {"outage": {"cluster": "primary", "mode": "refuse"}, "trigger": {"nth": 3}},
            "an outage strikes all connections to its cluster: select and trigger do not apply",
        ),
    ],
)
def test_a_refusal_says_where_and_what_would_do(spec: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        fault(**spec)


def test_all_problems_are_named_at_once():
    with pytest.raises(ValueError, match=r"found Produze; .*not Produze; .*not Metadata"):
        fault(error={"code": "NOT_ENOUGH_REPLICAS"}, select={"apis": ["Produze", "Metadata"]})


@pytest.mark.parametrize("spec", [{}, {"latency": {"delay": "1s"}, "outage": {"cluster": "a", "mode": "reset"}}])
def test_a_fault_is_exactly_one_thing(spec: dict[str, Any]):
    with pytest.raises(ValidationError, match="expected exactly one of latency, error, outage"):
        fault(**spec)


def test_latency_can_be_aimed_at_any_api_and_at_partitions_of_two():
    assert isinstance(fault(latency={"delay": "1s"}).interceptor, Latency)
    assert isinstance(fault(latency={"delay": "1s"}, select={"apis": ["Metadata"]}).interceptor, Latency)
    assert isinstance(fault(latency={"delay": "1s"}, select={"apis": ["Fetch"], "topic": "o*"}).interceptor, Latency)


@pytest.mark.parametrize("mode", ["refuse", "reset", "blackhole"])
def test_an_outage_counts_the_connections_that_it_strikes(mode: str):
    armed = fault(outage={"cluster": "primary", "mode": mode})
    assert isinstance(armed.outage, ClusterOutage)
    assert (armed.interceptor, armed.outage.mode) == (None, mode)
    for client_id in ("", "app", "app"):
        armed.outage.struck(client_id)
    assert (armed.counters.matched, armed.counters.fired, armed.counters.clients) == (3, 3, {"", "app"})


def test_errors_go_by_kafkas_names():
    assert error_named("NOT_LEADER_OR_FOLLOWER") is ErrorCode.not_leader_or_follower
    assert error_named("NOT_LEADER") is None
    assert names(frozenset({ErrorCode.invalid_record, ErrorCode.corrupt_message})) == "CORRUPT_MESSAGE, INVALID_RECORD"
