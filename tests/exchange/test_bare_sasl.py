"""The broker's own SASL passes, again and again on one connection; only its oldest form, without frames, does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Reply
from appliance.wire.apis import KEYS, Api
from appliance.wire.codec import decode, encode, request_type, response_type
from appliance.wire.headers import RESPONSE_HEAD, request_frame, response_frame
from tests.exchange.shell import HEARTBEAT, Scripted, Shell, heartbeat

AUTHENTICATE = KEYS["SaslAuthenticate"]


def handshake(version: int, correlation_id: int) -> bytes:
    body = encode(request_type(Api.SASL_HANDSHAKE, version)(mechanism="PLAIN"))
    return request_frame(Api.SASL_HANDSHAKE, version, correlation_id, "app", body)


def handshake_answer(version: int, correlation_id: int) -> bytes:
    body = encode(response_type(Api.SASL_HANDSHAKE, version)(error_code=ErrorCode.none, mechanisms=("PLAIN",)))
    return response_frame(Api.SASL_HANDSHAKE, version, correlation_id, body)


def authenticate(version: int, correlation_id: int) -> bytes:
    body = encode(request_type(AUTHENTICATE, version)(auth_bytes=b"\0user\0secret"))
    return request_frame(AUTHENTICATE, version, correlation_id, "app", body)


def authenticate_answer(version: int, correlation_id: int) -> bytes:
    kind: Any = response_type(AUTHENTICATE, version)
    lifetime = {"session_lifetime": timedelta(hours=1)} if "session_lifetime" in kind.__dataclass_fields__ else {}
    body = encode(kind(error_code=ErrorCode.none, error_message=None, auth_bytes=b"", **lifetime))
    return response_frame(AUTHENTICATE, version, correlation_id, body)


@pytest.mark.parametrize("version", range(3))
def test_a_client_authenticates_to_the_broker_and_again_in_the_midst_of_its_work(version: int):
    """KIP-368: re-authentication comes on a connection that has other requests under way."""
    shell = Shell()
    login, login_answer = (
        handshake(1, 1) + authenticate(version, 2),
        handshake_answer(1, 1) + authenticate_answer(version, 2),
    )
    work, work_answer = heartbeat(3), response_frame(HEARTBEAT, 4, 3, b"fine")
    again = handshake(1, 4) + authenticate(version, 5)
    again_answer = handshake_answer(1, 4) + authenticate_answer(version, 5)
    shell.send(login)
    shell.answer(login_answer)
    shell.send(work + again + heartbeat(6))
    shell.answer(work_answer + again_answer, [9, 20])
    assert shell.upstream == login + work + again + heartbeat(6)
    assert shell.client == login_answer + work_answer + again_answer
    assert len(shell.exchange.ledger) == 1


def test_a_handshake_after_which_tokens_would_come_bare_is_refused_in_turn():
    shell = Shell()
    shell.send(heartbeat(1) + handshake(0, 2))
    assert shell.upstream == heartbeat(1), "the broker is not told to expect what cannot pass"
    first = response_frame(HEARTBEAT, 4, 1, b"one")
    shell.answer(first)
    answer = shell.client[len(first) :]
    assert RESPONSE_HEAD.unpack_from(answer) == (len(answer) - 4, 2)
    told: Any = decode(response_type(Api.SASL_HANDSHAKE, 0), answer[8:])
    assert (told.error_code, told.mechanisms) == (ErrorCode.unsupported_version, ())


def test_whoever_answers_handshakes_in_the_brokers_place_is_asked_first():
    body = encode(response_type(Api.SASL_HANDSHAKE, 0)(error_code=ErrorCode.none, mechanisms=("PLAIN",)))
    shell = Shell(Scripted(frozenset({int(Api.SASL_HANDSHAKE)}), [Reply(body)]))
    shell.send(handshake(0, 1))
    assert shell.client == response_frame(Api.SASL_HANDSHAKE, 0, 1, body)
