"""The client credentials grant (RFC 6749, section 4.4): the request for a token, and the token in the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from appliance.identity.errors import TokenEndpointError
from appliance.resources.cluster_security import ClientCredentials

_REFRESH_AT = 0.8
"""Share of a token's life after which a new one is fetched; Kafka's sasl.login.refresh.window.factor."""
_DEFAULT_LIFETIME = 60.0
"""Seconds, where the endpoint does not say: long enough for one login, and soon fetched anew."""
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """POST this; the headers and the body hold the client's secret."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token to log in with until `expires_at`; from `refresh_at` on, fetch another."""

    value: str = field(repr=False)
    expires_at: float
    refresh_at: float


def token_request(credentials: ClientCredentials, secret: str) -> TokenRequest:
    """Return the request for a token; the client proves itself by HTTP Basic (section 2.3.1)."""
    pair = f"{quote_plus(credentials.client_id)}:{quote_plus(secret)}".encode()
    fields = {"grant_type": "client_credentials"}
    if credentials.scope is not None:
        fields["scope"] = credentials.scope
    headers = {
        "Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return TokenRequest(credentials.token_endpoint, headers, urlencode(fields).encode())


def read_token(status: int, document: bytes, now: float) -> BearerToken:
    """Return the token of an answer. Raises TokenEndpointError with the endpoint's own words where it refused."""
    try:
        answer = json.loads(document)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise TokenEndpointError(f"expected JSON from the token endpoint; found something else (HTTP {status})")
    if status != 200:
        said = f"{answer.get('error', '')} {answer.get('error_description', '')}".strip()
        shown = "".join(each if each.isprintable() else "?" for each in said[:_LONGEST_SHOWN])
        raise TokenEndpointError(f"the token endpoint refused with HTTP {status}: {shown or 'without a reason'}")
    value, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(value, str) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenEndpointError("expected an access_token of the token_type Bearer; found none")
    lifetime = answer.get("expires_in", _DEFAULT_LIFETIME)
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < 1e9:
        raise TokenEndpointError("expires_in: expected the seconds of the token's life; found something else")
    return BearerToken(value, now + lifetime, now + lifetime * _REFRESH_AT)
