"""The client credentials grant: the request as an endpoint checks it, and the answers it may give."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.errors import TokenEndpointError
from appliance.identity.upstream.token_endpoint import read_token, token_request
from appliance.resources.cluster_security import ClientCredentials
from tests.identity.scene import NOW

CREDENTIALS = ClientCredentials.model_validate(
    {
        "token_endpoint": "https://login.example/token",
        "client_id": "gate:way",
        "client_secret": {"env": "SECRET"},
        "scope": "kafka produce",
    }
)


@contextmanager
def endpoint() -> Iterator[httpx.Client]:
    """A token endpoint that takes HTTP's own word for who asks."""

    def answered(request: httpx.Request) -> httpx.Response:
        scheme, _, pair = request.headers["Authorization"].partition(" ")
        known = (scheme, base64.b64decode(pair)) == ("Basic", b"gate%3Away:s%2Fcret+%25")
        fields = parse_qs(request.content.decode())
        if not known:
            return httpx.Response(401, json={"error": "invalid_client", "error_description": "who\nare you"})
        assert fields == {"grant_type": ["client_credentials"], "scope": ["kafka produce"]}
        return httpx.Response(200, json={"access_token": "abc", "token_type": "bearer", "expires_in": 300})

    with httpx.Client(transport=httpx.MockTransport(answered)) as client:
        yield client


def asked(secret: str) -> httpx.Response:
    request = token_request(CREDENTIALS, secret)
    with endpoint() as client:
        return client.post(request.url, headers=dict(request.headers), content=request.body)


def test_a_token_and_when_to_fetch_the_next():
    answer = asked("s/cret %")
    token = read_token(answer.status_code, answer.content, NOW)
    assert (token.value, token.expires_at, token.refresh_at) == ("abc", NOW + 300, NOW + 240)


def test_a_refusal_has_the_endpoints_words():
    answer = asked("wrong")
    with pytest.raises(TokenEndpointError, match=r"refused with HTTP 401: invalid_client who\?are you"):
        read_token(answer.status_code, answer.content, NOW)


def test_neither_secret_nor_token_is_printed():
    assert "s%2Fcret" not in repr(token_request(CREDENTIALS, "s/cret %"))
    assert base64.b64encode(b"gate%3Away:s%2Fcret+%25").decode() not in repr(token_request(CREDENTIALS, "s/cret %"))
    assert "abc" not in repr(read_token(200, asked("s/cret %").content, NOW))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "abc"},
        {"access_token": "abc", "token_type": "mac"},
        {"access_token": 7, "token_type": "Bearer"},
        {"access_token": "abc", "token_type": "Bearer", "expires_in": "300"},
        {"access_token": "abc", "token_type": "Bearer", "expires_in": -1},
        {"access_token": "abc", "token_type": "Bearer", "expires_in": True},
    ],
)
def test_answers_without_a_token(answer: dict[str, Any]):
    with pytest.raises(TokenEndpointError, match="expected"):
        read_token(200, json.dumps(answer).encode(), NOW)


@given(status=st.integers(100, 599), document=st.binary(max_size=50))
def test_whatever_comes_only_our_error_comes_out(status: int, document: bytes):
    with pytest.raises(TokenEndpointError):
        read_token(status, document, NOW)
