"""A login at a broker in Kafka's requests: SaslHandshake v1, then SaslAuthenticate v1 with the mechanism's tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kio.schema.errors import ErrorCode

from appliance.identity.errors import UpstreamRefused
from appliance.identity.replies import SASL_AUTHENTICATE
from appliance.identity.steps import Work
from appliance.identity.upstream.sasl_client import ClientStep, SaslClient, Send
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from appliance.wire.errors import Malformed

_VERSION = 1
"""Of both APIs: known to every broker since 2.2, not flexible, and tells the session's lifetime."""
_MOST_ROUNDS = 8
"""SCRAM takes two, OAUTHBEARER's refusal two."""
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request (header version 1, answered with header version 0), hand the answer's body to `answered`."""

    api_key: int
    api_version: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The cluster knows us. After `session_lifetime` seconds (None: never) it ends connections that did not log in
    again; do that by a new Login on the same connection, with requests between its own as they come (KIP-368)."""

    session_lifetime: float | None


LoginStep: TypeAlias = Ask | Work | LoggedIn


class Login:
    """One login, or one re-authentication, on an upstream connection; every step may raise UpstreamRefused."""

    def __init__(self, client: SaslClient) -> None:
        self._client = client
        self._shaken = False
        self._rounds = 0
        self._lifetime = 0.0

    def start(self) -> Ask:
        """Return the first request."""
        request = request_type(Api.SASL_HANDSHAKE, _VERSION)(mechanism=self._client.mechanism)
        return Ask(Api.SASL_HANDSHAKE, _VERSION, encode(request))

    def answered(self, body: bytes) -> LoginStep:
        """Take the body of the answer to the last request."""
        try:
            if not self._shaken:
                return self._shake(body)
            response: Any = decode(response_type(SASL_AUTHENTICATE, _VERSION), body)
        except Malformed as error:
            raise UpstreamRefused(f"the cluster's answer cannot be read: {error}") from None
        if response.error_code is not ErrorCode.none:
            raise UpstreamRefused(self._refusal(response.error_message), response.error_code.value)
        self._lifetime = max(0.0, response.session_lifetime.total_seconds())
        return self._carry_on(self._client.receive(bytes(response.auth_bytes)))

    def resume(self, result: object) -> LoginStep:
        """Go on after Work, with its result."""
        return self._carry_on(self._client.resume(result))

    def _shake(self, body: bytes) -> LoginStep:
        response: Any = decode(response_type(Api.SASL_HANDSHAKE, _VERSION), body)
        if response.error_code is not ErrorCode.none:
            offered = ", ".join(map(str, response.mechanisms)) or "none"
            raise UpstreamRefused(
                f"expected the cluster to offer {self._client.mechanism}; found {offered[:_LONGEST_MESSAGE]}",
                response.error_code.value,
            )
        self._shaken = True
        return self._carry_on(self._client.first())

    def _carry_on(self, step: ClientStep) -> LoginStep:
        if isinstance(step, Work):
            return step
        if not isinstance(step, Send):
            return LoggedIn(self._lifetime or None)
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            raise UpstreamRefused(f"expected a login to end after {_MOST_ROUNDS} rounds; found further questions")
        request = request_type(SASL_AUTHENTICATE, _VERSION)(auth_bytes=step.token)
        return Ask(SASL_AUTHENTICATE, _VERSION, encode(request))

    def _refusal(self, message: str | None) -> str:
        said = " ".join(filter(None, [message, self._client.remark()])) or "without a reason"
        shown = "".join(each if each.isprintable() else "?" for each in said[:_LONGEST_MESSAGE])
        return f"the cluster refused the login by {self._client.mechanism}: {shown}"
