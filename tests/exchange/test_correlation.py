"""Correlation ids are the client's: the gateway makes none up, on no connection, and believes nothing of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.exchange.interceptor import Reply
from appliance.wire.apis import Api
from appliance.wire.headers import RESPONSE_HEAD, request_frame, response_frame
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat

SYNC_GROUP = 14
int32 = st.integers(-(2**31), 2**31 - 1)


@settings(deadline=None)
@given(
    plan=st.lists(st.tuples(st.sampled_from(["opaque", "looked into", "answered here"]), int32), max_size=8),
    cuts=st.lists(st.integers(0, 500), max_size=5),
)
def test_any_ids_come_back_in_the_order_of_the_requests(plan: list[tuple[str, int]], cuts: list[int]):
    """Ids in flight may be equal, negative, or run over; an answer of the gateway's own has its request's."""
    shell = Shell(Scripted(frozenset({SYNC_GROUP})))
    asked = answered = b""
    for way, number in plan:
        if way == "answered here":
            asked += request_frame(Api.API_VERSIONS, 99, number, "future", b"")
            continue
        api = SYNC_GROUP if way == "looked into" else HEARTBEAT
        asked += request_frame(api, 4, number, "app", b"body")
        answered += response_frame(api, 4, number, b"answer")
    shell.send(asked, cuts)
    shell.answer(answered, cuts)
    heard, at = [], 0
    while at < len(shell.client):
        size, number = RESPONSE_HEAD.unpack_from(shell.client, at)
        heard.append(number)
        at += 4 + size
    assert heard == [number for _, number in plan]


def test_equal_ids_in_flight_do_not_mix_up_what_was_asked():
    shell = Shell(Scripted(frozenset({SYNC_GROUP}), [Reply(b"from the gateway")]))
    shell.send(heartbeat(7) + request_frame(SYNC_GROUP, 4, 7, "app", b"") + heartbeat(7))
    one, two = response_frame(HEARTBEAT, 4, 7, b"first"), response_frame(HEARTBEAT, 4, 7, b"last")
    shell.answer(one + two)
    assert shell.client == one + response_frame(SYNC_GROUP, 4, 7, b"from the gateway") + two
