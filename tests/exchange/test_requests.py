"""Client to broker: bytes in, steps and bytes out."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.api_versions.v0.response import ApiVersionsResponse
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import (
    AskAgain,
    Close,
    Delay,
    Instead,
    Replace,
    Reply,
    RequestVerdict,
    ResponseVerdict,
)
from appliance.exchange.limits import Limits
from appliance.exchange.message import Answer, Question
from appliance.exchange.shared_answers import SharedAnswers
from appliance.exchange.step import Refused, Then
from appliance.wire.apis import Api
from appliance.wire.codec import decode
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, request_frame, request_header, response_frame
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat, produce

HEARTBEATS = frozenset({HEARTBEAT})
PRODUCES = frozenset({int(Api.PRODUCE)})

opaque_requests = st.lists(
    st.one_of(
        st.builds(lambda body: (heartbeat(0, body), True), st.binary(max_size=60)),
        st.builds(lambda body: (request_frame(4711, 3, 0, "", body), True), st.binary(max_size=60)),
        st.builds(
            lambda acks, rest, version: (produce(0, acks=acks, rest=rest, version=version), acks != 0),
            st.sampled_from([-1, 0, 1]),
            st.binary(max_size=60),
            st.sampled_from([3, 8, 9, 13]),
        ),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(requests=opaque_requests, cuts=st.lists(st.integers(0, 800), max_size=10))
def test_what_nobody_looks_into_passes_byte_for_byte_in_any_chunking(
    requests: list[tuple[bytes, bool]], cuts: list[int]
):
    shell = Shell()
    stream = b"".join(frame for frame, _ in requests)
    step = shell.send(stream, cuts)
    assert shell.upstream == stream
    assert step.then is Then.READ
    assert len(shell.exchange.ledger) == sum(answered for _, answered in requests)
    shell.exchange.end_of_requests()


def test_an_opaque_frame_passes_before_it_is_all_there():
    shell, frame = Shell(), heartbeat(1, b"x" * 1000)
    shell.send(frame[:20])
    assert shell.upstream == frame[:20]
    with pytest.raises(Malformed, match="in the middle of a request"):
        shell.exchange.end_of_requests()


def test_a_frame_that_somebody_wants_is_asked_for_whole():
    shell, frame = Shell(Scripted(HEARTBEATS)), heartbeat(2)
    before = request_frame(4711, 0, 1, "app", b"opaque")
    step = shell.send(before + frame[:-1])
    assert (step.then, step.need, shell.upstream) == (Then.READ, len(frame), before)
    shell.send(frame[-1:])
    assert shell.upstream == before + frame


def test_the_client_id_is_heard_in_requests_that_are_looked_into():
    shell = Shell()
    shell.send(heartbeat(1))
    assert shell.exchange.client_id == ""
    shell.send(produce(2))
    assert shell.exchange.client_id == "writer"


# -- what is not Kafka


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x5a", "found a TLS handshake: this listener is plain"),
        (b"GET / HTTP/1.1\r\n", "found an HTTP request"),
        (b"POST /v1 HTTP/1.1\r\n", "found an HTTP request"),
        (struct.pack(">ihhi", 104_857_601, 0, 3, 1), "a request of 104857601 bytes is over the limit of 104857600"),
        (struct.pack(">ihhi", 9, 0, 3, 1), "found a frame of 9 bytes"),
        (struct.pack(">ihhi", -1, 0, 3, 1), "found a frame of -1 bytes"),
        (bytes(12), "found a frame of 0 bytes"),
    ],
)
def test_what_is_no_request_is_named(data: bytes, words: str):
    with pytest.raises(Malformed, match=words):
        Shell().send(data)


@pytest.mark.parametrize("size", [-(2**31), -1, 0, 3, 9, 104_857_601])
def test_a_size_that_no_request_has_is_refused_before_anything_behind_it_comes(size: int):
    shell = Shell()
    shell.send(heartbeat(1) + struct.pack(">i", size)[:3])
    with pytest.raises(Malformed, match=f" {size} bytes"):
        shell.send(struct.pack(">i", size)[3:])


def test_the_frame_limit_is_the_listeners():
    shell = Shell(limits=Limits(frame=100))
    shell.send(request_frame(4711, 0, 1, "", bytes(100 - 11)))
    with pytest.raises(Malformed, match="a request of 101 bytes is over the limit of 100"):
        shell.send(request_frame(4711, 0, 2, "", bytes(101 - 11)))


def test_a_produce_request_without_acks_is_malformed():
    with pytest.raises(Malformed, match="ends before its acks"):
        Shell().send(request_frame(Api.PRODUCE, 3, 1, "writer", b"\xff\xff\0"))
    with pytest.raises(Malformed, match="ends before its acks"):
        Shell(Scripted(PRODUCES)).send(request_frame(Api.PRODUCE, 3, 1, "writer", b"\xff\xff\0"))


def test_no_more_requests_are_in_flight_than_the_limit():
    shell = Shell(limits=Limits(in_flight=3))
    shell.send(b"".join(produce(number, acks=0) for number in range(10)))
    shell.send(b"".join(heartbeat(number) for number in range(3)))
    with pytest.raises(Refused, match="more than 3 requests without a response"):
        shell.send(heartbeat(4))


@pytest.mark.parametrize("api", [Api.METADATA, Api.FETCH, Api.PRODUCE, Api.FIND_COORDINATOR])
def test_a_version_whose_answer_would_leak_addresses_is_refused(api: Api):
    body = b"\0\xff\xff" if api is Api.PRODUCE else b""
    with pytest.raises(Refused, match="which it was not offered"):
        Shell().send(request_frame(api, 99, 1, "app", body))


@settings(deadline=None, max_examples=200)
@given(
    key=st.one_of(st.sampled_from(list(Api)), st.integers(-(2**15), 2**15 - 1)),
    version=st.one_of(st.integers(-1, 20), st.integers(-(2**15), 2**15 - 1)),
    rest=st.binary(max_size=40),
    body=st.binary(max_size=60),
)
def test_whatever_the_bytes_the_only_error_is_malformed(key: int, version: int, rest: bytes, body: bytes):
    shell = Shell()
    with suppress(Malformed):
        shell.send(struct.pack(">ihhi", 8 + len(rest), key, version, 7) + rest + heartbeat(1))
        shell.answer(RESPONSE_HEAD.pack(4 + len(body), 7) + body)


# -- ApiVersions


def test_a_newer_api_versions_request_is_answered_here_in_version_0():
    shell = Shell()
    shell.send(request_frame(Api.API_VERSIONS, 99, 5, "future", b"\x01\x02\x03"))
    assert shell.upstream == b""
    assert RESPONSE_HEAD.unpack_from(shell.client) == (len(shell.client) - 4, 5)
    answer = decode(ApiVersionsResponse, shell.client[8:])
    assert answer.error_code is ErrorCode.unsupported_version
    assert [(each.api_key, each.min_version) for each in answer.api_keys] == [(18, 0)]


def test_its_answer_waits_for_those_before_it():
    shell = Shell()
    shell.send(heartbeat(1) + request_frame(Api.API_VERSIONS, 99, 2, "future", b"") + heartbeat(3))
    assert (shell.upstream, shell.client) == (heartbeat(1) + heartbeat(3), b"")
    first, third = response_frame(HEARTBEAT, 4, 1, b"one"), response_frame(HEARTBEAT, 4, 3, b"three")
    shell.answer(first + third)
    assert shell.client.startswith(first)
    assert shell.client.endswith(third)
    local = shell.client[len(first) : -len(third)]
    assert RESPONSE_HEAD.unpack_from(local) == (len(local) - 4, 2)


# -- the fence


@pytest.mark.parametrize("api", [Api.PRODUCE, Api.ADD_PARTITIONS_TO_TXN, Api.END_TXN, Api.TXN_OFFSET_COMMIT])
def test_a_fence_holds_writes_at_their_first_byte_and_lets_all_before_them_go(api: Api):
    shell = Shell(fenced=True)
    before = heartbeat(1) + request_frame(Api.METADATA, 12, 2, "app", b"\0\0\0\0")
    write = request_frame(api, 3, 3, "writer", b"\xff\xff\0\x01records")
    step = shell.send(before + write + heartbeat(4))
    assert (step.then, shell.upstream) == (Then.HOLD, before)
    assert shell.exchange.ledger.writes == 0
    shell.reroute()
    shell.send(b"")
    assert shell.upstream == before + write + heartbeat(4)
    assert shell.exchange.ledger.writes == 1


def test_a_write_that_had_begun_to_pass_when_the_fence_came_passes_whole():
    shell, write = Shell(), produce(1, rest=bytes(500))
    shell.send(write[:100])
    shell.reroute(fenced=True)
    step = shell.send(write[100:] + produce(2))
    assert (step.then, shell.upstream) == (Then.HOLD, write)


def test_a_write_that_an_interceptor_delays_is_held_by_a_fence_that_comes_meanwhile_and_then_starts_over():
    first, later = Scripted(PRODUCES, [Delay(1.0)]), Scripted(PRODUCES)
    shell = Shell(first)
    assert shell.send_once(produce(1)).then is Then.WAIT
    shell.reroute(fenced=True)
    assert (shell.send(b"").then, shell.upstream) == (Then.HOLD, b"")
    shell.reroute(later)
    shell.send(b"")
    assert shell.upstream == produce(1)
    assert later.seen == first.seen, "it is another route's now"


# -- interceptors


def test_a_reply_takes_the_brokers_place_in_turn():
    shell = Shell(Scripted(PRODUCES, [Reply(b"refused")]))
    shell.send(heartbeat(1) + produce(2) + heartbeat(3))
    assert shell.upstream == heartbeat(1) + heartbeat(3)
    first = response_frame(HEARTBEAT, 4, 1, b"one")
    shell.answer(first)
    assert shell.client == first + response_frame(Api.PRODUCE, 3, 2, b"refused")
    assert shell.exchange.ledger.writes == 0


def test_a_reply_without_a_body_makes_the_request_vanish():
    shell = Shell(Scripted(PRODUCES, [Reply(None)]))
    shell.send(produce(1, acks=0) + heartbeat(2))
    assert (shell.upstream, shell.client, len(shell.exchange.ledger)) == (heartbeat(2), b"", 1)


def test_the_next_interceptor_sees_what_the_one_before_put_in_its_place():
    first, second = Scripted(HEARTBEATS, [Replace(b"another, longer body")]), Scripted(HEARTBEATS)
    shell = Shell(first, second)
    shell.send(heartbeat(1, b"group") + heartbeat(2))
    assert (first.seen[0], second.seen[0]) == (b"group", b"another, longer body")
    assert shell.upstream == heartbeat(1, b"another, longer body") + heartbeat(2)


def test_a_close_is_refused_with_its_reason():
    with pytest.raises(Refused, match="because I say so"):
        Shell(Scripted(HEARTBEATS, [Close("because I say so")])).send(heartbeat(1))


def test_a_delayed_request_goes_on_with_the_next_interceptor_from_where_the_buffer_is_now():
    first, second, third = Scripted(HEARTBEATS, [Delay(0.5)]), Scripted(HEARTBEATS, [Delay(0.25)]), Scripted(HEARTBEATS)
    shell = Shell(first, second, third)
    shell.send(request_frame(4711, 0, 1, "", b"before") + heartbeat(2, b"waits") + heartbeat(3, b"behind"))
    assert shell.waits == [0.5, 0.25]
    assert first.seen == second.seen == third.seen == [b"waits", b"behind"]
    assert shell.upstream.endswith(heartbeat(2, b"waits") + heartbeat(3, b"behind"))


def test_who_says_ask_me_again_is_asked_again_with_the_same_memo_and_those_before_it_are_not():
    first, second = Scripted(HEARTBEATS), Scripted(HEARTBEATS, [AskAgain(0.05), AskAgain(0.1), None])
    third = Scripted(HEARTBEATS)
    shell = Shell(first, second, third)
    shell.send(heartbeat(1, b"waits") + heartbeat(2, b"behind"))
    assert shell.waits == [0.05, 0.1]
    assert first.seen == third.seen == [b"waits", b"behind"]
    assert second.seen == [b"waits", b"waits", b"waits", b"behind"]
    assert shell.upstream == heartbeat(1, b"waits") + heartbeat(2, b"behind")


def test_who_was_asked_again_may_answer():
    shell = Shell(Scripted(HEARTBEATS, [AskAgain(0.05), Reply(b"nothing new")]))
    shell.send(heartbeat(1))
    assert shell.upstream == b""
    assert shell.client == response_frame(HEARTBEAT, 4, 1, b"nothing new")


def test_a_delay_holds_what_is_behind_but_not_what_is_before():
    shell = Shell(Scripted(HEARTBEATS, [Delay(0.5)]))
    before = request_frame(4711, 0, 1, "", b"before")
    step = shell.send_once(before + heartbeat(2) + heartbeat(3))
    assert (step.then, step.seconds, shell.upstream) == (Then.WAIT, 0.5, before)


def test_what_was_put_in_place_survives_a_delay_behind_it():
    shell = Shell(Scripted(HEARTBEATS, [Replace(b"new")]), Scripted(HEARTBEATS, [Delay(0.5)]), Scripted(HEARTBEATS))
    shell.send(heartbeat(1, b"old"))
    assert shell.upstream == heartbeat(1, b"new")


def test_a_request_keeps_the_interceptors_that_it_began_with():
    old, new = Scripted(HEARTBEATS, [Delay(1.0)]), Scripted(HEARTBEATS)
    later = Scripted(HEARTBEATS)
    shell = Shell(old, later)
    assert shell.send_once(heartbeat(1, b"first")).then is Then.WAIT
    shell.reroute(new)
    shell.send(heartbeat(2, b"second"))
    shell.answer(response_frame(HEARTBEAT, 4, 1, b"one") + response_frame(HEARTBEAT, 4, 2, b"two"))
    assert (old.seen, later.seen, new.seen) == ([b"first"], [b"first"], [b"second"])
    assert (old.answered, later.answered, new.answered) == ([b"one"], [b"one"], [b"two"])


def test_interceptors_that_leave_the_snapshot_still_get_the_request_that_waits():
    old, later = Scripted(HEARTBEATS, [Delay(1.0)]), Scripted(HEARTBEATS, [Replace(b"changed")])
    shell = Shell(old, later)
    assert shell.send_once(heartbeat(1)).then is Then.WAIT
    shell.reroute()
    shell.send(b"")
    assert shell.upstream == heartbeat(1, b"changed")


def test_an_interceptor_finds_the_request_again_at_the_response():
    spy = Scripted(HEARTBEATS)
    shell = Shell(spy)
    shell.send(heartbeat(1, b"group"))
    shell.answer(response_frame(HEARTBEAT, 4, 1, b"fine"))
    (question,) = spy.questions
    assert (question.correlation_id, question.client_id, bytes(question.body)) == (1, "app", b"group")


def test_acks_0_awaits_nothing_also_where_the_request_is_looked_into():
    shell = Shell(Scripted(PRODUCES))
    shell.send(produce(1, acks=0) + produce(2))
    assert shell.upstream == produce(1, acks=0) + produce(2)
    assert len(shell.exchange.ledger) == shell.exchange.ledger.writes == 1


@settings(deadline=None, max_examples=50)
@given(bodies=st.lists(st.binary(max_size=30), max_size=6), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_looked_into_and_left_alone_is_byte_for_byte_the_same(bodies: list[bytes], cuts: list[int]):
    shell = Shell(Scripted(HEARTBEATS))
    stream = b"".join(heartbeat(number, body) for number, body in enumerate(bodies))
    shell.send(stream, cuts)
    assert shell.upstream == stream
    answers = b"".join(response_frame(HEARTBEAT, 4, number, body) for number, body in enumerate(bodies))
    shell.answer(answers, cuts)
    assert shell.client == answers
    assert len(shell.exchange.ledger) == 0


def test_the_header_stays_where_the_body_is_replaced():
    frame = request_frame(HEARTBEAT, 4, 9, "näme", b"old")
    shell = Shell(Scripted(HEARTBEATS, [Replace(b"")]))
    shell.send(frame)
    header = request_header(shell.upstream, 0, len(shell.upstream))
    assert header[:4] == (HEARTBEAT, 4, 9, "näme")
    assert header.body == len(shell.upstream)


@dataclass
class Capitals:
    """Asks in capitals, as an interceptor does that translates names; the same for all."""

    same_for_all = True

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return api_key == Api.METADATA

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - none
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        return Replace(bytes(question.body).upper())

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - never asked
        return None


def test_who_waits_for_an_answer_gets_it_also_where_the_question_was_changed_on_its_way():
    answers = SharedAnswers(lambda: 0.0)
    one, other = Shell(Capitals()), Shell()
    other.exchange.route = one.exchange.route
    for each in (one, other):
        each.exchange.others = answers
    asked = request_frame(Api.METADATA, 1, 7, "app", b"\0\0\0\1\0\6orders")
    one.send(asked)
    assert b"ORDERS" in one.upstream
    told: list[bool] = []
    assert other.send_once(asked).then is Then.OTHERS
    other.exchange.when_told(lambda: told.append(True))
    one.answer(response_frame(Api.METADATA, 1, 7, NO_BROKERS))
    assert told == [True]
    assert other.send_once().then is Then.ANSWER
    assert b"".join(other.exchange.local_answers()) == one.client
    assert not other.upstream


NO_BROKERS = bytes(12)
"""A Metadata response, version 1: no brokers, no controller, no topics."""


def test_the_broker_is_asked_something_else_under_the_same_header_and_its_answer_is_the_clients():
    behind = Scripted(HEARTBEATS)
    shell = Shell(Scripted(HEARTBEATS, [Instead(22, 5, b"instead")]), behind)
    shell.send(request_frame(HEARTBEAT, 4, 9, "näme", b"old"))
    assert shell.upstream == request_frame(22, 5, 9, "näme", b"instead")
    assert behind.seen == [], "it would not know what it looks at"
    shell.answer(response_frame(HEARTBEAT, 4, 9, b"answer"))
    assert shell.client == response_frame(HEARTBEAT, 4, 9, b"answer")
