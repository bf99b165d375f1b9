"""Broker to client: bytes in, steps and bytes out."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.find_coordinator.v2.response import FindCoordinatorResponse

from appliance.exchange.interceptor import Close, Delay, Replace
from appliance.exchange.limits import Limits
from appliance.exchange.step import Refused, Then
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, request_frame, response_frame
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat, produce
from tests.wire.messages import generated

HEARTBEATS = frozenset({HEARTBEAT})


def answer(correlation_id: int, body: bytes = b"fine") -> bytes:
    return response_frame(HEARTBEAT, 4, correlation_id, body)


def coordinator(node_id: int, host: str, port: int) -> bytes:
    return encode(replace(generated(FindCoordinatorResponse, Random(1)), node_id=node_id, host=host, port=port))


@settings(deadline=None)
@given(bodies=st.lists(st.binary(max_size=80), max_size=8), cuts=st.lists(st.integers(0, 800), max_size=10))
def test_what_nobody_looks_into_passes_byte_for_byte_in_any_chunking(bodies: list[bytes], cuts: list[int]):
    shell = Shell()
    shell.send(b"".join(produce(number, version=3 + number) for number in range(len(bodies))))
    stream = b"".join(
        response_frame(Api.PRODUCE, 3 + number, number, body) for number, body in enumerate(bodies) if number < 7
    )
    shell.answer(stream, cuts)
    assert shell.client == stream
    assert len(shell.exchange.ledger) == max(0, len(bodies) - 7)


def test_a_broker_that_leaves_at_a_boundary_still_owes_its_answers():
    shell = Shell()
    shell.send(heartbeat(1) + heartbeat(2))
    shell.answer(answer(1))
    with pytest.raises(Malformed, match="without an answer to Heartbeat version"):
        shell.exchange.end_of_responses()
    shell.answer(answer(2))
    shell.exchange.end_of_responses()


@settings(deadline=None)
@given(
    plan=st.lists(st.tuples(st.booleans(), st.booleans(), st.binary(max_size=40)), max_size=10),
    cuts=st.lists(st.integers(0, 600), max_size=10),
)
def test_the_client_gets_one_answer_to_each_request_in_their_order(
    plan: list[tuple[bool, bool, bytes]], cuts: list[int]
):
    wanted = 14  # SyncGroup
    shell = Shell(Scripted(frozenset({wanted})))
    requests, answers = b"", b""
    for number, (local, looked_into, body) in enumerate(plan):
        if local:
            requests += request_frame(Api.API_VERSIONS, 99, number, "future", b"")
        else:
            api = wanted if looked_into else HEARTBEAT
            requests += request_frame(api, 4, number, "app", body)
            answers += response_frame(api, 4, number, body)
    shell.send(requests, cuts)
    shell.answer(answers, cuts)
    heard, at = [], 0
    while at < len(shell.client):
        size, correlation_id = RESPONSE_HEAD.unpack_from(shell.client, at)
        heard.append(correlation_id)
        at += 4 + size
    assert heard == list(range(len(plan)))
    assert len(shell.exchange.ledger) == 0


def test_an_opaque_response_passes_before_it_is_all_there():
    shell = Shell()
    shell.send(heartbeat(1))
    frame = answer(1, bytes(1000))
    shell.answer(frame[:20])
    assert shell.client == frame[:20]
    with pytest.raises(Malformed, match="in the middle of a response"):
        shell.exchange.end_of_responses()


def test_a_response_that_somebody_wants_is_asked_for_whole():
    shell = Shell(Scripted(HEARTBEATS))
    shell.send(produce(1) + heartbeat(2))
    before, frame = response_frame(Api.PRODUCE, 3, 1, b"opaque"), answer(2)
    step = shell.answer(before + frame[:-1])
    assert (step.then, step.need, shell.client) == (Then.READ, len(frame), before)
    shell.answer(frame[-1:])
    assert shell.client == before + frame


def test_an_unexpected_correlation_id_is_malformed():
    shell = Shell()
    shell.send(heartbeat(1) + heartbeat(2))
    with pytest.raises(Malformed, match="expected the answer to request 1, found one to 2"):
        shell.answer(answer(2))


def test_a_response_without_a_request_is_malformed():
    shell = Shell()
    shell.send(produce(7, acks=0))
    with pytest.raises(Malformed, match="the broker answered request 7, but no request is waiting"):
        shell.answer(answer(7))


@pytest.mark.parametrize("size", [-1, 0, 3])
def test_a_frame_too_small_for_a_response_is_malformed(size: int):
    shell = Shell()
    shell.send(heartbeat(0))
    with pytest.raises(Malformed, match=f"found a frame of {size} bytes"):
        shell.answer(RESPONSE_HEAD.pack(size, 0))


@pytest.mark.parametrize("size", [-(2**31), -1, 0, 3])
def test_a_frame_too_small_for_a_response_does_not_wait_for_bytes_that_never_come(size: int):
    shell = Shell()
    shell.send(heartbeat(0))
    with pytest.raises(Malformed, match=f"found a frame of {size} bytes"):
        shell.answer(RESPONSE_HEAD.pack(size, 0)[:4])


def test_a_response_that_must_be_held_is_held_up_to_the_limit():
    shell = Shell(limits=Limits(frame=1000))
    shell.send(request_frame(Api.METADATA, 12, 1, "app", b"\0"))
    with pytest.raises(Malformed, match="a Metadata response of 1001 bytes is over the limit of 1000"):
        shell.answer(RESPONSE_HEAD.pack(1001, 1) + b"\0")


def test_a_response_that_passes_may_be_larger_than_the_limit():
    shell = Shell(limits=Limits(frame=1000))
    shell.send(heartbeat(1))
    shell.answer(answer(1, bytes(5000)))
    assert shell.client == answer(1, bytes(5000))


# -- interceptors


def test_responses_go_through_the_interceptors_in_reverse():
    order: list[str] = []

    class Noting(Scripted):
        def on_response(self, answer):
            order.append(str(self.seen[0], "ascii"))
            return super().on_response(answer)

    outer, inner = Noting(HEARTBEATS, seen=[b"outer"]), Noting(HEARTBEATS, seen=[b"inner"])
    shell = Shell(outer, inner)
    shell.send(heartbeat(1))
    shell.answer(answer(1))
    assert order == ["inner", "outer"]


def test_the_next_interceptor_sees_what_the_one_before_put_in_its_place():
    outer, inner = Scripted(HEARTBEATS), Scripted(HEARTBEATS, responses=[Replace(b"a longer body than before")])
    shell = Shell(outer, inner)
    shell.send(heartbeat(1) + heartbeat(2))
    shell.answer(answer(1) + answer(2))
    assert outer.answered == [b"a longer body than before", b"fine"]
    assert shell.client == answer(1, b"a longer body than before") + answer(2)


def test_a_delayed_response_goes_on_with_the_next_interceptor_from_where_the_buffer_is_now():
    outer = Scripted(HEARTBEATS, responses=[Delay(0.25)])
    inner = Scripted(HEARTBEATS, responses=[Delay(0.5)])
    shell = Shell(outer, inner)
    shell.send(produce(1) + heartbeat(2) + heartbeat(3))
    shell.answer(response_frame(Api.PRODUCE, 3, 1, b"before") + answer(2, b"waits") + answer(3, b"behind"))
    assert shell.waits == [0.5, 0.25]
    assert inner.answered == outer.answered == [b"waits", b"behind"]
    assert shell.client.endswith(answer(2, b"waits") + answer(3, b"behind"))


def test_a_delay_holds_what_is_behind_but_not_what_is_before():
    shell = Shell(Scripted(HEARTBEATS, responses=[Delay(0.5)]))
    shell.send(produce(1) + heartbeat(2) + heartbeat(3))
    before = response_frame(Api.PRODUCE, 3, 1, b"before")
    step = shell.answer_once(before + answer(2) + answer(3))
    assert (step.then, step.seconds, shell.client) == (Then.WAIT, 0.5, before)


def test_what_was_put_in_place_survives_a_delay_behind_it():
    outer = Scripted(HEARTBEATS, responses=[Delay(0.5)])
    shell = Shell(Scripted(HEARTBEATS), outer, Scripted(HEARTBEATS, responses=[Replace(b"new")]))
    shell.send(heartbeat(1))
    shell.answer(answer(1, b"old"))
    assert shell.client == answer(1, b"new")
    assert outer.answered == [b"new"]


def test_a_close_is_refused_with_its_reason():
    shell = Shell(Scripted(HEARTBEATS, responses=[Close("no id yet")]))
    shell.send(heartbeat(1))
    with pytest.raises(Refused, match="no id yet"):
        shell.answer(answer(1))


def test_a_response_goes_to_those_who_were_there_when_its_request_began():
    old, new = Scripted(HEARTBEATS), Scripted(HEARTBEATS)
    shell = Shell(old)
    shell.send(heartbeat(1))
    shell.reroute(new)
    shell.send(heartbeat(2))
    shell.answer(answer(1, b"one") + answer(2, b"two"))
    assert (old.answered, new.answered) == ([b"one"], [b"two"])


def test_who_wants_only_responses_is_asked_only_then():
    class OnlyResponses(Scripted):
        def wants_request(self, api_key, api_version):  # noqa: ARG002 - wants none
            return False

        def wants_response(self, api_key, api_version):  # noqa: ARG002 - all versions
            return api_key in self.keys

    spy = OnlyResponses(HEARTBEATS, responses=[Replace(b"changed")])
    shell = Shell(spy)
    shell.send(produce(1) + heartbeat(2))
    shell.answer(response_frame(Api.PRODUCE, 3, 1, b"ok") + answer(2))
    assert shell.client == response_frame(Api.PRODUCE, 3, 1, b"ok") + answer(2, b"changed")
    assert spy.questions[0].correlation_id == 2


# -- addresses and versions


def test_addresses_are_rewritten_and_doors_opened_for_nodes_not_seen_before():
    shell = Shell()
    for number, doors in ((1, True), (2, False)):
        shell.doors = False
        shell.client = b""
        shell.send(request_frame(Api.FIND_COORDINATOR, 2, number, "app", b"\0\x05group\0"))
        shell.answer(response_frame(Api.FIND_COORDINATOR, 2, number, coordinator(7, "real-7.internal", 9092)))
        found = decode(FindCoordinatorResponse, shell.client[8:])
        assert (found.node_id, found.host, found.port) == (7, "gateway.example", 20_007)
        assert shell.doors is doors
    assert shell.exchange.knowledge.nodes == {7: ("real-7.internal", 9092)}


def test_an_interceptor_sees_the_real_addresses_and_cannot_leak_them():
    spy = Scripted(frozenset({int(Api.FIND_COORDINATOR)}), responses=[Replace(coordinator(8, "real-8.internal", 9092))])
    shell = Shell(spy)
    shell.send(request_frame(Api.FIND_COORDINATOR, 2, 1, "app", b"\0\x05group\0"))
    shell.answer(response_frame(Api.FIND_COORDINATOR, 2, 1, coordinator(7, "real-7.internal", 9092)))
    assert b"real-7.internal" in spy.answered[0]
    assert b"internal" not in shell.client
    assert decode(FindCoordinatorResponse, shell.client[8:]).port == 20_008


def test_answers_to_api_versions_are_limited_on_the_way():
    shell = Shell()
    shell.send(request_frame(Api.API_VERSIONS, 0, 1, "app", b""))
    ranges = b"\0\0\0\x02" + b"\0\x01" + b"\0\x04" + b"\0\x63" + b"\x12\x67" + b"\0\0" + b"\0\x63"
    shell.answer(response_frame(Api.API_VERSIONS, 0, 1, b"\0\0" + ranges))
    (fetch, future) = decode(response_type(Api.API_VERSIONS, 0), shell.client[8:]).api_keys
    assert (fetch.api_key, fetch.min_version, fetch.max_version) == (1, 4, 18)
    assert (future.api_key, future.min_version, future.max_version) == (0x1267, 0, 99)


def test_a_version_of_api_versions_below_all_is_malformed_at_worst():
    shell = Shell()
    shell.send(request_frame(Api.API_VERSIONS, -1, 1, "app", b""))
    with pytest.raises(Malformed):
        shell.answer(response_frame(Api.API_VERSIONS, -1, 1, b"\0\0\0\0\0\0"))
