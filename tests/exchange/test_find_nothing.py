"""The last answers of a connection that is closed for a switch."""

from __future__ import annotations

import pytest
from kio.schema.errors import ErrorCode

from appliance.wire.apis import Api, known_versions
from appliance.wire.codec import decode, response_type
from appliance.wire.headers import RESPONSE_HEAD, request_frame, response_body, response_frame
from tests.exchange.shell import HEARTBEAT, Shell, heartbeat

OLDEST, NEWEST = known_versions(Api.FETCH) or (0, -1)


def fetch(correlation_id: int, version: int = 12) -> bytes:
    return request_frame(Api.FETCH, version, correlation_id, "reader", b"whatever it asks for")


@pytest.mark.parametrize("version", range(OLDEST, NEWEST + 1))
def test_a_fetch_of_any_version_finds_nothing_and_no_error(version: int):
    shell = Shell()
    shell.send(fetch(5, version))
    (frame,) = shell.exchange.find_nothing()
    assert RESPONSE_HEAD.unpack_from(frame) == (len(frame) - 4, 5)
    body = frame[response_body(frame, 0, len(frame), Api.FETCH, version) :]
    answer = decode(response_type(Api.FETCH, version), body)
    assert (getattr(answer, "error_code", ErrorCode.none), answer.responses) == (ErrorCode.none, ())


def test_all_that_wait_are_answered_in_their_order_and_then_nothing_is_owed():
    shell = Shell()
    shell.send(fetch(1) + fetch(2))
    assert [RESPONSE_HEAD.unpack_from(each)[1] for each in shell.exchange.find_nothing()] == [1, 2]
    assert len(shell.exchange.ledger) == 0
    assert shell.exchange.find_nothing() == []


@pytest.mark.parametrize("others", [heartbeat(1) + fetch(2), fetch(1) + heartbeat(2)], ids=["before", "behind"])
def test_where_something_else_is_under_way_nothing_is_answered(others: bytes):
    shell = Shell()
    shell.send(others)
    assert shell.exchange.find_nothing() == []


def test_an_answer_that_has_begun_is_not_answered_again():
    shell = Shell()
    shell.send(fetch(1))
    shell.answer(response_frame(Api.FETCH, 12, 1, bytes(100))[:50])
    assert shell.exchange.find_nothing() == []


def test_what_the_gateway_itself_asked_is_not_answered_to_the_client():
    shell = Shell()
    shell.exchange.reserved = True
    shell.exchange.ask(HEARTBEAT, 4, b"", lambda _: None)
    assert shell.exchange.find_nothing() == []
