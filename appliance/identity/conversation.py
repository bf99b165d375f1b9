"""The server's side of SASL on one client connection, as Kafka's brokers hold it.

SaslHandshake names a mechanism; its tokens come in SaslAuthenticate requests (after handshake v1), or bare, with only a
size before them (after handshake v0: Kafka 0.10 clients). A connection that has a principal may authenticate again
(KIP-368), by the same mechanism and as the same principal.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from kio.schema.errors import ErrorCode

from appliance.identity.attempt import Attempt, Throttled
from appliance.identity.errors import Denied
from appliance.identity.mechanisms.exchange import Challenge, Outcome, Proven, SaslExchange
from appliance.identity.mechanisms.offered import exchange_of
from appliance.identity.policy import IdentityPolicy
from appliance.identity.principal import Principal
from appliance.identity.replies import (
    SASL_AUTHENTICATE,
    authenticate_body,
    authenticate_token,
    handshake_body,
    handshake_mechanism,
)
from appliance.identity.steps import Accepted, Failed, Reply, Step, WantKeys, Work
from appliance.identity.throttle import Throttle
from appliance.wire.apis import Api, name_of
from appliance.wire.errors import Malformed

MAX_TOKEN = 512 * 1024
"""Bytes of one SASL token; the default of a broker's sasl.server.max.receive.size."""
MIN_REAUTHENTICATION = 1.0
"""Seconds between two re-authentications on a connection, as a broker demands (KIP-368)."""
HOLD = 0.1
"""Seconds that a failure's answer is held; the default of a broker's connection.failed.authentication.delay.ms."""
_LONGEST_REASON = 300
"""Characters of a reason that may repeat what a stranger sent."""


class _State(Enum):
    HANDSHAKE = auto()
    """A handshake is expected: nobody is known yet, or the connection has a principal and may start anew."""
    TOKENS = auto()
    """The mechanism's tokens are expected."""
    SLOW = auto()
    """The shell works or fetches; `resume` is expected."""
    CONCLUDING = auto()
    """A failure was told in the mechanism's own words; the client is to acknowledge it (OAUTHBEARER)."""
    OVER = auto()
    """The connection is to be closed."""


class Conversation:
    """The SASL conversation of one connection.

    The shell hands in every SaslHandshake and SaslAuthenticate request of the connection, first and later ones, whole
    and one at a time, and does what the step says before the next call. All other APIs but ApiVersions are refused by
    the shell while `principal` is None.

    `current` gives the policy that holds now: it is asked when an authentication starts, so that a later one meets
    today's accounts. `entropy(n)` gives n random bytes (os.urandom). `address` is the client's (behind a load balancer:
    the one in the PROXY header). `now` is Unix time in seconds, everywhere.
    """

    def __init__(
        self,
        current: Callable[[], IdentityPolicy],
        *,
        entropy: Callable[[int], bytes],
        throttle: Throttle,
        address: str,
    ) -> None:
        self.principal: Principal | None = None
        """Who is there; None until the first success."""
        self.session_ends: float | None = None
        """When the session is over; see Accepted."""
        self.mechanism: str | None = None
        """The mechanism that was proven, or is being spoken."""
        self._current = current
        self._entropy = entropy
        self._throttle = throttle
        self._address = address
        self._state = _State.HANDSHAKE
        self._bare = False
        self._version = 0
        self._attempt: Attempt | None = None
        self._exchange: SaslExchange | None = None
        self._proven_by: str | None = None
        self._again_at: float | None = None
        self._public = ""

    @property
    def bare_tokens(self) -> bool:
        """Whether the next frame from the client is a bare token (size and bytes, no header): hand it to `token`.

        Answers are bare then too.
        """
        return self._bare and self._state is not _State.HANDSHAKE

    def expired(self, now: float) -> bool:
        """Return whether the session is over: only a new authentication may follow."""
        return self.session_ends is not None and now >= self.session_ends

    def request(self, api_key: int, api_version: int, body: bytes, now: float) -> Step:
        """Take a whole SaslHandshake or SaslAuthenticate request body (without header). Raises nothing."""
        try:
            if api_key == Api.SASL_HANDSHAKE:
                return self._handshake(api_version, body, now)
            if api_key == SASL_AUTHENTICATE:
                return self._authenticate(api_version, body, now)
        except Malformed as error:
            return self._out_of_order(api_key, api_version, f"{error}")
        return self._out_of_order(api_key, api_version, f"expected a SASL request, found {name_of(api_key)}")

    def token(self, token: bytes, now: float) -> Step:
        """Take a bare token; only where `bare_tokens` says so. Raises nothing."""
        if not self.bare_tokens:
            return self._out_of_order(SASL_AUTHENTICATE, 0, "expected a request, found a bare SASL token")
        return self._take(token, now)

    def resume(self, now: float, result: object = None) -> Step:
        """Go on after Work (with its result) or WantKeys (without). Raises nothing."""
        assert self._state is _State.SLOW, "resume follows Work or WantKeys"
        assert self._exchange is not None
        exchange = self._exchange
        return self._proceed(lambda: exchange.resume(result, now), now)

    def _handshake(self, api_version: int, body: bytes, now: float) -> Step:
        mechanism = handshake_mechanism(api_version, body)
        if self._state is not _State.HANDSHAKE:
            return self._out_of_order(Api.SASL_HANDSHAKE, api_version, "SaslHandshake during SASL authentication")
        if self._again_at is not None and now - self._again_at < MIN_REAUTHENTICATION:
            return self._refuse_handshake(
                api_version, ErrorCode.illegal_sasl_state, "it authenticated again less than a second ago", close=False
            )
        policy = self._current()
        if mechanism not in policy.mechanisms:
            named = mechanism[:40].encode("ascii", "backslashreplace").decode()
            reason = f"expected one of {', '.join(policy.mechanisms)}; found {named}"
            return self._refuse_handshake(api_version, ErrorCode.unsupported_sasl_mechanism, reason, close=True)
        self._again_at = now if self.principal is not None else None
        self._bare = api_version == 0
        self._attempt = Attempt(policy, self._entropy, self._throttle, self._address)
        self._exchange = exchange_of(mechanism, self._attempt)
        self.mechanism = mechanism
        self._state = _State.TOKENS
        return Reply(handshake_body(api_version, ErrorCode.none, policy.mechanisms))

    def _authenticate(self, api_version: int, body: bytes, now: float) -> Step:
        token = authenticate_token(api_version, body)
        if self._state in {_State.HANDSHAKE, _State.SLOW, _State.OVER} or self._bare:
            return self._out_of_order(SASL_AUTHENTICATE, api_version, "SaslAuthenticate without SaslHandshake")
        self._version = api_version
        return self._take(token, now)

    def _take(self, token: bytes, now: float) -> Step:
        if self._state is _State.CONCLUDING:
            self._state = _State.OVER
            return Reply(self._failure_body(ErrorCode.sasl_authentication_failed, self._public), close=True)
        exchange = self._exchange
        if self._state is not _State.TOKENS or exchange is None:
            return self._out_of_order(SASL_AUTHENTICATE, self._version, "a SASL token was not expected")
        return self._proceed(lambda: self._receive(exchange, token, now), now)

    def _receive(self, exchange: SaslExchange, token: bytes, now: float) -> Outcome:
        if len(token) > MAX_TOKEN:
            raise Denied(
                f"expected a token of up to {MAX_TOKEN} bytes, found {len(token)}", "The SASL token is too large"
            )
        if self._proven_by not in {None, self.mechanism}:
            message = (
                f"SASL mechanism '{self.mechanism}' requested by client is not supported for re-authentication of "
                f"mechanism '{self._proven_by}'"
            )
            raise Denied(message, message)
        return exchange.receive(token, now)

    def _proceed(self, go: Callable[[], Outcome], now: float) -> Step:
        try:
            outcome = go()
            match outcome:
                case Work() | WantKeys():
                    self._state = _State.SLOW
                    return outcome
                case Challenge(token=token):
                    self._state = _State.TOKENS
                    return Reply(self._success_body(token))
                case Proven(principal=principal, token=token):
                    return self._accept(principal, token, now)
        except Denied as denied:
            return self._deny(denied, now)

    def _accept(self, principal: Principal, token: bytes, now: float) -> Step:
        assert self._attempt is not None
        before = self.principal
        if before is not None and not principal.same_as(before):
            message = f"Cannot change principals during re-authentication from {before} to {principal}"
            raise Denied(message, "Cannot change principals during re-authentication")
        self._attempt.succeeded(principal.name)
        configured = self._attempt.policy.session_lifetime
        ends = [now + configured] if configured is not None else []
        if principal.expires_at is not None:
            ends.append(principal.expires_at)
        self.principal = principal
        self.session_ends = min(ends, default=None)
        self._proven_by = self.mechanism
        self._state = _State.HANDSHAKE
        body = self._success_body(token, 0.0 if self.session_ends is None else max(0.0, self.session_ends - now))
        self._exchange = self._attempt = None
        return Accepted(body, principal, self.session_ends, reauthenticated=before is not None)

    def _deny(self, denied: Denied, now: float) -> Failed:
        assert self._attempt is not None
        if not isinstance(denied, Throttled):
            self._attempt.failed(now)
        code = ErrorCode.sasl_authentication_failed
        claimed = self._attempt.claimed
        self._public = denied.public
        if denied.challenge is not None:
            self._state = _State.CONCLUDING
            body: bytes | None = self._success_body(denied.challenge)
        else:
            self._state = _State.OVER
            body = self._failure_body(code, denied.public)
        close = self._state is _State.OVER
        return Failed(body, str(denied), code.value, self.mechanism, claimed, close=close, hold=HOLD)

    def _refuse_handshake(self, api_version: int, code: ErrorCode, reason: str, *, close: bool) -> Failed:
        if close:
            self._state = _State.OVER
        body = handshake_body(api_version, code, self._current().mechanisms)
        return Failed(body, reason, code.value, close=close, hold=HOLD)

    def _out_of_order(self, api_key: int, api_version: int, reason: str) -> Failed:
        """Answer what a client that keeps to the protocol does not send; the connection ends."""
        bare = self.bare_tokens
        self._state = _State.OVER
        reason = reason[:_LONGEST_REASON]
        code = ErrorCode.illegal_sasl_state
        body: bytes | None = None
        if api_key == Api.SASL_HANDSHAKE and not bare:
            body = handshake_body(api_version, code, self._current().mechanisms)
        elif api_key == SASL_AUTHENTICATE and not bare:
            body = authenticate_body(api_version, error=code, message=reason)
        claimed = self._attempt.claimed if self._attempt else None
        return Failed(body, reason, code.value, self.mechanism, claimed)

    def _success_body(self, token: bytes, lifetime: float = 0.0) -> bytes:
        return token if self._bare else authenticate_body(self._version, token=token, lifetime=lifetime)

    def _failure_body(self, code: ErrorCode, message: str) -> bytes | None:
        """Return the answer to a failed attempt; bare tokens have none: the connection just ends, as with a broker."""
        return None if self._bare else authenticate_body(self._version, error=code, message=message)
