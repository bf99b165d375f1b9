"""API errors strike partitions; every answer is one that a broker could have given, and batches stay what they were."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from kio.schema.errors import ErrorCode

from appliance.chaos.faults import ArmedFault
from appliance.exchange.interceptor import Interceptor, Replace, Reply
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.chaos.requests import (
    FETCH_VERSIONS,
    PRODUCE_VERSIONS,
    asked,
    fault,
    fetch,
    fetched,
    name_of,
    produce,
    produced,
    records,
)
from tests.wire.messages import UNKNOWN_TAGS, Written, generated

REFUSED = ErrorCode.not_enough_replicas
APPENDED = ErrorCode.not_enough_replicas_after_append
GONE = ErrorCode.offset_out_of_range

Outcome = dict[tuple[str, int], ErrorCode]


def failing(api: str, code: ErrorCode, **spec: Any) -> tuple[ArmedFault, Interceptor]:
    select = {"apis": [api], **spec.pop("select", {})}
    armed = fault(error={"code": code.name.upper()}, select=select, **spec)
    assert armed.interceptor is not None
    return armed, armed.interceptor


def produce_outcome(version: int, body: bytes) -> Outcome:
    """Return each partition's error; a partition that is answered twice is a mistake."""
    outcome: Outcome = {}
    for topic in decode(response_type(Api.PRODUCE, version), body).responses:
        for part in topic.partition_responses:
            assert (name_of(topic), part.index) not in outcome
            assert part.error_code is ErrorCode.none or part.base_offset == -1
            outcome[name_of(topic), part.index] = part.error_code
    return outcome


def fetch_outcome(version: int, body: bytes) -> Outcome:
    """Return each partition's error; a struck one has no records, any other has those that it had."""
    outcome: Outcome = {}
    for topic in decode(response_type(Api.FETCH, version), body).responses:
        for part in topic.partitions:
            key = name_of(topic), part.partition_index
            assert key not in outcome
            assert part.records == (records(*key) if part.error_code is ErrorCode.none else b"")
            outcome[key] = part.error_code
    return outcome


def requested(version: int, body: bytes) -> dict[tuple[str, int], bytes]:
    return {
        (name_of(topic), part.index): part.records
        for topic in decode(request_type(Api.PRODUCE, version), body).topic_data
        for part in topic.partition_data
    }


# -- Produce, before: the broker never sees what is struck


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_a_request_that_is_struck_whole_is_answered_here(version: int):
    armed, error = failing("Produce", REFUSED)
    question = asked(Api.PRODUCE, version, produce(version, {"orders": [0, 1], "payments": [5]}))
    verdict = error.on_request(question)
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    expected = {("orders", 0): REFUSED, ("orders", 1): REFUSED, ("payments", 5): REFUSED}
    assert produce_outcome(version, verdict.body) == expected
    assert (armed.counters.matched, armed.counters.fired) == (1, 1)


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_what_is_not_struck_goes_on_without_the_rest_and_the_answer_has_both(version: int):
    armed, error = failing("Produce", REFUSED, select={"topic": "orders", "partitions": [1]})
    question = asked(Api.PRODUCE, version, produce(version, {"orders": [0, 1], "payments": [1]}))
    verdict = error.on_request(question)
    assert isinstance(verdict, Replace)
    kept = {("orders", 0), ("payments", 1)}
    assert requested(version, verdict.body) == {key: records(*key) for key in kept}
    answer = error.on_response(Answer(question, encode(produced(version, {"orders": [0], "payments": [1]}))))
    assert isinstance(answer, Replace)
    assert produce_outcome(version, answer.body) == dict.fromkeys(kept, ErrorCode.none) | {("orders", 1): REFUSED}
    assert armed.counters.fired == 1


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_the_rest_of_the_request_stays_byte_for_byte(version: int):
    _, error = failing("Produce", REFUSED, select={"topic": "payments"})
    question = asked(Api.PRODUCE, version, produce(version, {"orders": [0, 1], "payments": [1]}))
    assert error.on_request(question) == Replace(encode(produce(version, {"orders": [0, 1]})))


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_acks_0_cannot_be_answered_with_an_error(version: int):
    armed, error = failing("Produce", REFUSED)
    assert error.on_request(asked(Api.PRODUCE, version, produce(version, {"orders": [0]}, acks=0))) is None
    assert armed.counters.skipped == {"acks=0: no answer that could carry an error": 1}
    assert armed.counters.fired == 0


def test_requests_that_are_not_chosen_pass():
    armed, error = failing("Produce", REFUSED, select={"topic": "orders", "client_id": "app-*"})
    for partitions, client_id in (({"orders": [0]}, "other"), ({"payments": [0]}, "app-1"), ({}, "app-1")):
        question = asked(Api.PRODUCE, 9, produce(9, partitions), client_id)
        assert error.on_request(question) is None
        assert error.on_response(Answer(question, encode(produced(9, partitions)))) is None
    assert (armed.counters.matched, armed.counters.fired) == (0, 0)


def test_the_trigger_counts_only_requests_that_are_chosen():
    armed, error = failing("Produce", REFUSED, select={"topic": "orders"}, trigger={"nth": 2})
    verdicts = [
        error.on_request(asked(Api.PRODUCE, 9, produce(9, {topic: [0]})))
        for topic in ("orders", "payments", "orders", "orders")
    ]
    assert [isinstance(each, Reply) for each in verdicts] == [False, False, True, False]
    assert (armed.counters.matched, armed.counters.fired, armed.counters.clients) == (3, 1, {"app"})


def test_a_topic_id_that_nobody_has_seen_is_struck_only_if_any_topic_is_meant():
    request = produce(13, {"orders": [0]})
    unseen = replace(request, topic_data=tuple(replace(each, topic_id=UUID(int=77)) for each in request.topic_data))
    _, any_topic = failing("Produce", REFUSED)
    _, orders = failing("Produce", REFUSED, select={"topic": "orders"})
    assert isinstance(any_topic.on_request(asked(Api.PRODUCE, 13, unseen)), Reply)
    assert orders.on_request(asked(Api.PRODUCE, 13, unseen)) is None


# -- Produce, after: the broker has appended


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_what_was_appended_is_answered_with_an_error(version: int):
    armed, error = failing("Produce", APPENDED, apply="after", select={"topic": "orders"})
    question = asked(Api.PRODUCE, version, produce(version, {"orders": [0, 1], "payments": [1]}))
    assert error.on_request(question) is None
    appended = produced(version, {"orders": [0, 1], "payments": [1]})
    answer = error.on_response(Answer(question, encode(appended)))
    assert isinstance(answer, Replace)
    assert produce_outcome(version, answer.body) == {
        ("orders", 0): APPENDED,
        ("orders", 1): APPENDED,
        ("payments", 1): ErrorCode.none,
    }
    assert decode(type(appended), answer.body).responses[1] == appended.responses[1]
    assert armed.counters.fired == 1


def test_an_error_of_the_broker_itself_stands_and_nothing_was_struck():
    armed, error = failing("Produce", APPENDED, apply="after")
    question = asked(Api.PRODUCE, 9, produce(9, {"orders": [0]}))
    error.on_request(question)
    refused = produced(9, {"orders": [0]})
    part = replace(refused.responses[0].partition_responses[0], error_code=ErrorCode.message_too_large, base_offset=-1)
    refused = replace(refused, responses=(replace(refused.responses[0], partition_responses=(part,)),))
    assert error.on_response(Answer(question, encode(refused))) is None
    assert (armed.counters.matched, armed.counters.fired) == (1, 0)
    assert armed.counters.skipped == {"the broker had refused it already": 1}


# -- Fetch


@pytest.mark.parametrize("version", FETCH_VERSIONS)
@pytest.mark.parametrize("apply", ["before", "after"])
def test_struck_partitions_come_back_with_the_error_and_the_others_as_they_are(version: int, apply: str):
    armed, error = failing("Fetch", GONE, apply=apply, select={"topic": "orders", "partitions": [1]})
    question = asked(Api.FETCH, version, fetch(version, {"orders": [0, 1], "payments": [1]}))
    assert error.on_request(question) is None
    body = encode(fetched(version, {"orders": [0, 1], "payments": [1]}))
    answer = error.on_response(Answer(question, body))
    assert isinstance(answer, Replace)
    expected = {("orders", 0): ErrorCode.none, ("orders", 1): GONE, ("payments", 1): ErrorCode.none}
    assert fetch_outcome(version, answer.body) == expected
    assert armed.counters.fired == 1


@pytest.mark.parametrize("version", FETCH_VERSIONS)
def test_an_answer_that_left_the_partition_out_gets_it(version: int):
    _, error = failing("Fetch", GONE, select={"topic": "orders"})
    for left in ({}, {"payments": [1]}):
        question = asked(Api.FETCH, version, fetch(version, {"orders": [0, 1], "payments": [1]}))
        error.on_request(question)
        answer = error.on_response(Answer(question, encode(fetched(version, left))))
        assert isinstance(answer, Replace)
        others = {(topic, index): ErrorCode.none for topic, indices in left.items() for index in indices}
        assert fetch_outcome(version, answer.body) == {("orders", 0): GONE, ("orders", 1): GONE, **others}


@pytest.mark.parametrize("version", FETCH_VERSIONS)
def test_an_incremental_session_that_names_no_partitions_is_skipped(version: int):
    armed, error = failing("Fetch", GONE)
    question = asked(Api.FETCH, version, fetch(version, {}))
    assert error.on_request(question) is None
    assert error.on_response(Answer(question, encode(fetched(version, {"orders": [0]})))) is None
    assert armed.counters.skipped == {"an incremental fetch session names no partitions": 1}


@pytest.mark.parametrize("version", [v for v in FETCH_VERSIONS if v >= 7])
def test_an_answer_that_refuses_the_whole_request_stays_as_it_is(version: int):
    armed, error = failing("Fetch", GONE)
    question = asked(Api.FETCH, version, fetch(version, {"orders": [0]}))
    error.on_request(question)
    refused = replace(fetched(version, {}), error_code=ErrorCode.fetch_session_id_not_found)
    assert error.on_response(Answer(question, encode(refused))) is None
    assert armed.counters.fired == 0


# -- what cannot be read


def test_fields_from_the_future_are_left_alone():
    armed, error = failing("Produce", APPENDED, apply="after")
    newer = Written(produce(9, {"orders": [0]}), UNKNOWN_TAGS).bytes
    assert (
        error.on_request(Question(Api.PRODUCE, 9, 1, "app", newer, asked(Api.PRODUCE, 9, produce(9, {})).knowledge))
        is None
    )
    question = asked(Api.PRODUCE, 9, produce(9, {"orders": [0]}))
    error.on_request(question)
    assert error.on_response(Answer(question, Written(produced(9, {"orders": [0]}), UNKNOWN_TAGS).bytes)) is None
    assert armed.counters.skipped == {
        "the request has fields that are not known here": 1,
        "the response has fields that are not known here": 1,
    }


def test_versions_without_a_layout_are_not_looked_into():
    _, error = failing("Produce", REFUSED)
    for wants in (error.wants_request, error.wants_response):
        assert [version for version in range(-1, 40) if wants(Api.PRODUCE, version)] == list(PRODUCE_VERSIONS)
        assert not wants(Api.FETCH, 12)


def test_a_response_is_struck_once():
    _, error = failing("Produce", APPENDED, apply="after")
    question = asked(Api.PRODUCE, 9, produce(9, {"orders": [0]}))
    error.on_request(question)
    body = encode(produced(9, {"orders": [0]}))
    assert isinstance(error.on_response(Answer(question, body)), Replace)
    assert error.on_response(Answer(question, body)) is None


def test_garbage_is_skipped():
    armed, error = failing("Fetch", GONE)
    body = Random(1).randbytes(80)
    assert (
        error.on_request(Question(Api.FETCH, 12, 1, "app", body, asked(Api.FETCH, 12, fetch(12, {})).knowledge)) is None
    )
    assert sum(armed.counters.skipped.values()) == 1
    assert generated(request_type(Api.FETCH, 12), Random(1))
