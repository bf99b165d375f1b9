"""The bodies of SaslHandshake and SaslAuthenticate: read and made here, nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode
from kio.static.primitive import i64Timedelta

from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from appliance.wire.errors import Malformed
from appliance.wire.walk import long_varint, walk_of

SASL_AUTHENTICATE = 36
HANDSHAKE_VERSIONS = range(2)
AUTHENTICATE_VERSIONS = range(3)
_FLEXIBLE_SINCE = 2
_LIFETIME_SINCE = 1
"""SaslAuthenticate tells the session's lifetime from this version on (KIP-368)."""


def handshake_mechanism(api_version: int, body: bytes) -> str:
    """Return the mechanism that a SaslHandshake request asks for. Raises Malformed."""
    if api_version not in HANDSHAKE_VERSIONS:
        raise Malformed(f"expected SaslHandshake version 0 or 1, found {api_version}")
    request: Any = decode(request_type(Api.SASL_HANDSHAKE, api_version), body)
    mechanism: str = request.mechanism
    return mechanism


def handshake_body(api_version: int, error: ErrorCode, mechanisms: tuple[str, ...]) -> bytes:
    """Return the body of a SaslHandshake response; for a version that there is not, that of the latest."""
    version = api_version if api_version in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
    return encode(response_type(Api.SASL_HANDSHAKE, version)(error_code=error, mechanisms=mechanisms))


def authenticate_token(api_version: int, body: bytes) -> bytes:
    """Return the SASL bytes of a SaslAuthenticate request. Raises Malformed.

    By a walk: tagged fields that only future clients know do no harm.
    """
    if api_version not in AUTHENTICATE_VERSIONS:
        raise Malformed(f"expected SaslAuthenticate version 0, 1 or 2, found {api_version}")
    walk = walk_of(SASL_AUTHENTICATE, api_version, "request", ("auth_bytes",))
    _, start, end = walk.places(body, 0, len(body))[0]
    flexible = api_version >= _FLEXIBLE_SINCE
    return body[long_varint(body, start, end)[1] if flexible else start + 4 : end]


def authenticate_body(
    api_version: int,
    *,
    error: ErrorCode = ErrorCode.none,
    message: str | None = None,
    token: bytes = b"",
    lifetime: float = 0.0,
) -> bytes:
    """Return the body of a SaslAuthenticate response; `lifetime` in seconds, 0: without end."""
    version = api_version if api_version in AUTHENTICATE_VERSIONS else AUTHENTICATE_VERSIONS[-1]
    fields: dict[str, Any] = {"error_code": error, "error_message": message, "auth_bytes": token}
    if version >= _LIFETIME_SINCE:
        fields["session_lifetime"] = i64Timedelta.parse(timedelta(milliseconds=int(lifetime * 1000)))
    return encode(response_type(SASL_AUTHENTICATE, version)(**fields))
