"""Latency holds what is aimed at, before the broker or after it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from appliance.chaos.faults import ArmedFault
from appliance.exchange.interceptor import Delay, Interceptor
from appliance.exchange.message import Answer, Question
from appliance.exchange.topology import Knowledge
from appliance.wire.apis import Api
from tests.chaos.requests import FETCH_VERSIONS, PRODUCE_VERSIONS, asked, fault, fetch, knowledge, produce


def heartbeat(client_id: str = "app") -> Question:
    return Question(12, 4, 1, client_id, b"group", knowledge())


def slow(**spec: object) -> tuple[ArmedFault, Interceptor]:
    armed = fault(**{"latency": {"delay": "200ms"}, **spec})
    assert armed.interceptor is not None
    return armed, armed.interceptor


def test_a_request_waits_before_the_broker_sees_it():
    armed, latency = slow()
    question = heartbeat()
    assert latency.on_request(question) == Delay(0.2)
    assert latency.on_response(Answer(question, b"")) is None
    assert not latency.wants_response(12, 4)
    assert (armed.counters.matched, armed.counters.fired, armed.counters.clients) == (1, 1, {"app"})


def test_a_response_waits_after_the_broker_has_answered():
    armed, latency = slow(apply="after", trigger={"nth": 2})
    first, second = heartbeat(), heartbeat()
    assert latency.on_request(first) is latency.on_request(second) is None
    assert latency.wants_response(12, 4)
    assert latency.on_response(Answer(first, b"")) is None
    assert latency.on_response(Answer(second, b"")) == Delay(0.2)
    assert latency.on_response(Answer(second, b"")) is None
    assert (armed.counters.matched, armed.counters.fired) == (2, 1)


def test_two_faults_strike_the_same_response_apart():
    (_, short), (_, long) = slow(apply="after"), slow(apply="after", latency={"delay": "1s"})
    question = heartbeat()
    short.on_request(question)
    long.on_request(question)
    assert long.on_response(Answer(question, b"")) == Delay(1.0)
    assert short.on_response(Answer(question, b"")) == Delay(0.2)


def test_jitter_is_added_within_its_bounds_and_repeats():
    spec = {"delay": "100ms", "jitter": "50ms"}
    (_, first), (_, second) = slow(latency=spec), slow(latency=spec)
    delays = [first.on_request(heartbeat()) for _ in range(50)]
    assert delays == [second.on_request(heartbeat()) for _ in range(50)]
    seconds = [each.seconds for each in delays if isinstance(each, Delay)]
    assert len(set(seconds)) == 50
    assert 0.1 <= min(seconds) < 0.11
    assert 0.14 < max(seconds) <= 0.15


def test_other_clients_and_apis_are_left_alone():
    armed, latency = slow(select={"client_id": "orders-*", "apis": ["Heartbeat"]})
    assert latency.on_request(heartbeat("payments-1")) is None
    assert isinstance(latency.on_request(heartbeat("orders-1")), Delay)
    assert [key for key in range(100) if latency.wants_request(key, 4)] == [12]
    assert armed.counters.matched == 1


def test_without_a_choice_of_apis_all_are_meant_those_from_the_future_too():
    _, latency = slow()
    assert all(latency.wants_request(key, version) for key, version in [(0, 13), (18, 4), (4711, 0), (0, 99)])


def test_a_choice_of_topics_looks_only_into_requests_that_can_be_read():
    _, latency = slow(select={"apis": ["Produce", "Fetch"], "topic": "orders"})
    assert [v for v in range(-1, 30) if latency.wants_request(Api.PRODUCE, v)] == list(PRODUCE_VERSIONS)
    assert [v for v in range(-1, 30) if latency.wants_request(Api.FETCH, v)] == list(FETCH_VERSIONS)


@pytest.mark.parametrize("version", PRODUCE_VERSIONS)
def test_produce_requests_are_chosen_by_partition(version: int):
    armed, latency = slow(select={"apis": ["Produce"], "topic": "ord*", "partitions": [3]})
    for partitions, expected in (
        ({"orders": [1, 3]}, Delay(0.2)),
        ({"payments": [3], "orders": [0, 3]}, Delay(0.2)),
        ({"orders": [1]}, None),
        ({"payments": [3]}, None),
        ({"payments": [3], "orders": [1]}, None),
        ({}, None),
    ):
        assert latency.on_request(asked(Api.PRODUCE, version, produce(version, partitions))) == expected
    assert armed.counters.matched == armed.counters.fired == 2


@pytest.mark.parametrize("version", FETCH_VERSIONS)
def test_fetch_requests_are_chosen_by_partition(version: int):
    _, latency = slow(select={"apis": ["Fetch"], "topic": "orders", "partitions": [3]})
    assert latency.on_request(asked(Api.FETCH, version, fetch(version, {"payments": [1], "orders": [3]}))) == Delay(0.2)
    assert latency.on_request(asked(Api.FETCH, version, fetch(version, {"payments": [3], "orders": [1]}))) is None


def test_a_topic_id_that_nobody_has_seen_fits_no_name():
    _, latency = slow(select={"apis": ["Produce"], "topic": "*"})
    question = asked(Api.PRODUCE, 13, produce(13, {"orders": [0]}))
    assert isinstance(latency.on_request(question), Delay)
    question.knowledge = Knowledge("another")
    assert latency.on_request(question) is None
    request = produce(13, {"orders": [0]})
    topics = tuple(replace(each, topic_id=UUID(int=77)) for each in request.topic_data)
    assert latency.on_request(asked(Api.PRODUCE, 13, replace(request, topic_data=topics))) is None
