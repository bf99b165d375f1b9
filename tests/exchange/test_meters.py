"""A connection counts what passes, and tells the gateway's time from the broker's."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from appliance.exchange.interceptor import Reply
from appliance.exchange.meters import BOUNDS, Meter, Meters
from appliance.exchange.step import Then
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat, produce
from tests.gateway import messages

FETCH = 1


def response(correlation_id: int, body: bytes = b"answer") -> bytes:
    return messages.response(correlation_id, body)


class Timed:
    """A shell with a clock, that says when bytes have left as `gateway.pair` does."""

    def __init__(self, *interceptors: Scripted) -> None:
        self.shell = Shell(*interceptors)
        self.exchange = self.shell.exchange

    def at(self, now: float) -> Timed:
        self.exchange.metering.now = now
        return self

    def left(self, now: float) -> None:
        self.exchange.metering.requests_left(now, whole=self.exchange.between_requests)
        self.exchange.metering.responses_left(now)

    def meter(self, api_key: int = HEARTBEAT) -> Meter:
        return self.exchange.meters[api_key]


def buckets(*seconds: float) -> list[int]:
    counts = [0] * (len(BOUNDS) + 1)
    for each in seconds:
        counts[bisect_left(BOUNDS, each)] += 1
    return counts


def test_a_request_and_its_answer():
    here = Timed()
    here.at(10.0).shell.send(heartbeat(1))
    here.left(10.002)
    here.at(10.5).shell.answer(response(1))
    here.left(10.504)
    meter = here.meter()
    assert (meter.requests, meter.responses) == (1, 1)
    assert (meter.bytes_in, meter.bytes_out) == (len(heartbeat(1)), len(response(1)))
    assert meter.gateway_seconds == pytest.approx(0.006)
    assert meter.upstream_seconds == pytest.approx(0.498)
    assert meter.gateway_buckets == buckets(0.006)
    assert meter.upstream_buckets == buckets(0.498)


@pytest.mark.parametrize("size", [1, 3, 9])
def test_bytes_and_messages_are_the_same_however_they_are_cut(size: int):
    whole, cut = Timed(), Timed()
    requests = b"".join(heartbeat(number, bytes(number)) for number in range(1, 6))
    answers = b"".join(response(number, bytes(number)) for number in range(1, 6))
    for here, cuts in ((whole, ()), (cut, range(size, len(requests), size))):
        here.shell.send(requests, cuts)
        here.left(0.0)
        here.shell.answer(answers, cuts)
        here.left(0.0)
    for name in ("requests", "responses", "bytes_in", "bytes_out", "gateway_buckets"):
        assert getattr(whole.meter(), name) == getattr(cut.meter(), name)
    assert whole.meter().bytes_in == len(requests)


def test_waiting_for_the_rest_of_a_message_that_is_looked_into_is_the_gateways_time():
    here = Timed(Scripted(frozenset({HEARTBEAT})))
    frame = heartbeat(1)
    here.at(1.0).shell.send(frame[:10])
    here.at(3.0).shell.send(frame[10:])
    here.left(3.0)
    here.at(4.0).shell.answer(response(1))
    here.left(4.0)
    assert here.meter().gateway_seconds == pytest.approx(2.0)
    assert here.meter().upstream_seconds == pytest.approx(1.0)


def test_a_hold_at_the_fence_is_the_gateways_time():
    here = Timed()
    here.shell.reroute(fenced=True)
    assert here.at(1.0).shell.send(produce(1)).then is Then.HOLD
    here.shell.reroute()
    here.at(6.0).shell.send(b"")
    here.left(6.0)
    here.at(6.5).shell.answer(messages.response(1, b"", flexible=False))
    here.left(6.5)
    assert here.meter(0).gateway_seconds == pytest.approx(5.0)
    assert here.meter(0).upstream_seconds == pytest.approx(0.5)


def test_a_large_request_has_left_when_its_last_byte_has():
    here = Timed()
    frame = heartbeat(1, bytes(1000))
    here.at(1.0).shell.send(frame[:500])
    here.left(1.0)
    here.at(2.0).shell.send(frame[500:])
    here.left(2.0)
    here.at(2.25).shell.answer(response(1))
    here.left(2.25)
    assert here.meter().gateway_seconds == pytest.approx(1.0)
    assert here.meter().upstream_seconds == pytest.approx(0.25)


def test_an_answer_before_the_request_has_left_makes_no_negative_time():
    here = Timed()
    frame = heartbeat(1, bytes(1000))
    here.at(1.0).shell.send(frame[:500])
    here.left(1.0)
    here.at(1.5).shell.answer(response(1))
    here.left(1.75)
    here.at(2.0).shell.send(frame[500:])
    here.left(2.0)
    assert here.meter().upstream_seconds == 0.0
    assert here.meter().gateway_seconds == pytest.approx(0.75)


def test_each_request_of_a_pipeline_has_its_own_times():
    here = Timed()
    here.at(1.0).shell.send(heartbeat(1) + heartbeat(2))
    here.left(1.0)
    here.at(2.0).shell.answer(response(1))
    here.left(2.0)
    here.at(4.0).shell.answer(response(2))
    here.left(4.0)
    assert here.meter().upstream_buckets == buckets(1.0, 3.0)


def test_a_write_without_acks_is_counted_and_has_no_time():
    here = Timed()
    here.shell.send(produce(1, acks=0) + heartbeat(2))
    here.left(0.0)
    assert (here.meter(0).requests, here.meter(0).bytes_in) == (1, len(produce(1, acks=0)))
    assert (here.meter(0).responses, sum(here.meter(0).gateway_buckets)) == (0, 0)
    assert here.exchange.metering.sending == []


def test_an_answer_of_the_gateways_own_has_an_error_and_no_upstream_time():
    newest = messages.request(messages.API_VERSIONS, 99, 3, b"\x02a\x02b\0")
    here = Timed()
    here.at(1.0).shell.send(newest)
    here.left(1.001)
    meter = here.meter(messages.API_VERSIONS)
    assert (meter.requests, meter.responses, meter.errors) == (1, 1, {35: 1})
    assert meter.bytes_out == len(here.shell.client)
    assert (sum(meter.gateway_buckets), sum(meter.upstream_buckets)) == (1, 0)


def test_an_error_that_an_interceptor_answers_with_is_counted():
    refused = (16).to_bytes(2, "big")
    here = Timed(Scripted(frozenset({HEARTBEAT}), requests=[Reply(bytes(4) + refused + b"\0")]))
    here.shell.send(heartbeat(1))
    here.left(0.0)
    assert here.meter().errors == {16: 1}


def test_an_error_of_the_brokers_is_counted_where_the_answer_is_decoded_and_nowhere_else():
    refused = bytes(4) + (27).to_bytes(2, "big") + b"\0"
    decoded, opaque = Timed(Scripted(frozenset({HEARTBEAT}))), Timed()
    for here in (decoded, opaque):
        here.shell.send(heartbeat(1))
        here.left(0.0)
        here.shell.answer(response(1, refused))
        here.left(0.0)
    assert (decoded.meter().errors, opaque.meter().errors) == ({27: 1}, {})


def test_the_gateways_own_questions_are_not_counted():
    here = Timed()
    here.exchange.reserved = True
    here.exchange.ask(HEARTBEAT, 4, b"", lambda _: None)
    here.shell.answer(response(-2))
    here.left(0.0)
    assert (here.meter().requests, here.meter().responses, sum(here.meter().gateway_buckets)) == (0, 0, 0)


def test_keys_from_clients_do_not_fill_the_memory():
    meters = Meters()
    for api_key in range(1000, 2000):
        meters.of("orders")[api_key].requests += 1
    assert dict(meters.readings().requests) == {("orders", "other"): 1000}


def test_readings_have_names():
    meters = Meters()
    meter = meters.of("orders")[FETCH]
    meter.requests += 2
    meter.count_errors([6, 6, 3])
    found = meters.readings()
    assert dict(found.requests) == {("orders", "Fetch"): 2}
    assert dict(found.errors) == {
        ("orders", "Fetch", "NOT_LEADER_OR_FOLLOWER"): 2,
        ("orders", "Fetch", "UNKNOWN_TOPIC_OR_PARTITION"): 1,
    }
    (times,) = dict(found.gateway_times).values()
    assert len(times.buckets) == len(BOUNDS) + 1
