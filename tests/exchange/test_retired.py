"""Produce 0 to 2 are offered for librdkafka's sake; whoever uses them is told that they are gone.

The messages are aiokafka's, which still has these versions.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import pytest
from aiokafka.protocol import produce as aiokafka_produce
from hypothesis import given
from hypothesis import strategies as st

from appliance.exchange.retired import RETIRED, is_retired, refusal
from appliance.exchange.step import Refused
from appliance.wire.apis import Api, known_versions
from appliance.wire.errors import Malformed
from appliance.wire.headers import request_frame, response_frame
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat

UNSUPPORTED_VERSION = 35
Topics = list[tuple[str, list[tuple[int, bytes]]]]

versions = pytest.mark.parametrize("version", RETIRED)
all_topics = st.lists(
    st.tuples(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 2**31 - 1), st.binary(max_size=60)), max_size=4)),
    max_size=4,
)


def written(version: int, topics: Topics, acks: int = -1) -> bytes:
    kind = getattr(aiokafka_produce, f"ProduceRequest_v{version}")
    return bytes(kind(required_acks=acks, timeout=1000, topics=topics).encode())


def read(version: int, body: bytes) -> Any:
    return getattr(aiokafka_produce, f"ProduceResponse_v{version}").decode(body)


def frame(version: int, correlation_id: int, body: bytes) -> bytes:
    return request_frame(Api.PRODUCE, version, correlation_id, "old", body)


@versions
@given(topics=all_topics)
def test_every_partition_is_told_that_the_version_is_gone(version: int, topics: Topics):
    body = refusal(version, written(version, topics))
    assert body is not None
    answer = read(version, body)
    timestamps = (-1,) * (version == 2)
    assert answer.topics == [
        (name, [(index, UNSUPPORTED_VERSION, -1, *timestamps) for index, _ in partitions])
        for name, partitions in topics
    ]
    assert answer.encode() == body


def test_just_the_versions_below_those_of_kafka_today_are_retired():
    known = known_versions(Api.PRODUCE)
    assert known is not None
    assert [version for version in range(-1, 14) if is_retired(Api.PRODUCE, version)] == list(range(known[0]))
    assert not is_retired(Api.FETCH, 0)


@versions
def test_the_broker_never_sees_it_and_the_answer_waits_its_turn(version: int):
    shell = Shell()
    body = written(version, [("orders", [(0, b"records")])])
    shell.send(heartbeat(1) + frame(version, 2, body) + heartbeat(3))
    assert (shell.upstream, shell.client) == (heartbeat(1) + heartbeat(3), b"")
    first, third = response_frame(HEARTBEAT, 4, 1, b"one"), response_frame(HEARTBEAT, 4, 3, b"three")
    shell.answer(first + third)
    told = refusal(version, body)
    assert told is not None
    assert shell.client == first + response_frame(Api.PRODUCE, version, 2, told) + third
    assert shell.exchange.ledger.writes == 0


@versions
def test_no_interceptor_is_asked_what_it_could_not_read(version: int):
    spy = Scripted(frozenset({int(Api.PRODUCE)}))
    shell = Shell(spy)
    shell.send(frame(version, 2, written(version, [("orders", [(0, b"records")])])))
    assert spy.seen == []


@versions
def test_without_acks_there_is_no_answer_and_the_connection_is_closed_with_a_reason(version: int):
    assert refusal(version, written(version, [("orders", [(0, b"")])], acks=0)) is None
    with pytest.raises(Refused, match=f"Produce version {version}, which Kafka has retired"):
        Shell().send(frame(version, 1, written(version, [], acks=0)))


@versions
def test_a_request_that_breaks_off_is_malformed_at_every_byte(version: int):
    body = written(version, [("orders", [(0, b"records"), (1, b"")]), ("payments", [(7, b"more")])])
    for end in range(len(body)):
        with pytest.raises(Malformed):
            refusal(version, body[:end])


@versions
def test_hostile_counts_and_lengths_are_malformed_at_worst(version: int):
    body = written(version, [("orders", [(0, b"records"), (1, b"")])])
    for hostile in (2**31 - 1, -1, -2, -(2**31), 2**24):
        for at in range(len(body) - 3):
            with suppress(Malformed):
                refusal(version, body[:at] + struct.pack(">i", hostile) + body[at + 4 :])
