"""OAUTHBEARER (RFC 7628, KIP-255, KIP-768): a token signed by an issuer whom the gateway trusts."""

from __future__ import annotations

import json
import re

from appliance.identity.attempt import Attempt
from appliance.identity.errors import Denied
from appliance.identity.mechanisms.exchange import Outcome, Proven
from appliance.identity.principal import Principal
from appliance.identity.steps import WantKeys
from appliance.identity.tokens import TokenDenied

_PUBLIC = "Authentication failed: the token is not accepted"
_SEPARATOR = "\x01"
_FIRST = re.compile(r"n,(?:a=(?P<authzid>[^,]+))?,\x01(?P<pairs>(?:[A-Za-z]+=[\x21-\x7e \t\r\n]*\x01)*)\x01")
_AUTH = re.compile(r"(?i:bearer) +(?P<token>[-_.~+/A-Za-z0-9]+=*)")


class OAuthBearerExchange:
    """The one token of the client. One that is not good is answered with a status in JSON, which the client
    acknowledges before the failure is final (RFC 7628, section 3.2.3)."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._token: str | None = None
        self._authorization_id: str | None = None

    def receive(self, token: bytes, now: float) -> Outcome:
        """See SaslExchange."""
        if self._token is not None:
            raise Denied("expected nothing after the token, found more", _PUBLIC)
        self._attempt.hear(_PUBLIC, now)
        self._token, self._authorization_id = _parts(token)
        return self._verify(now)

    def resume(self, result: object, now: float) -> Outcome:  # noqa: ARG002 - the protocol's
        """See SaslExchange."""
        return self._verify(now)

    def _verify(self, now: float) -> Outcome:
        policy = self._attempt.policy
        assert policy.tokens is not None, "offered only with rules"
        assert self._token is not None
        try:
            found = policy.tokens.verify(self._token, now)
            if isinstance(found, WantKeys):
                return found
            return Proven(self._admitted(found))
        except TokenDenied as denied:
            status = json.dumps({"status": denied.status}).encode()
            raise Denied(str(denied), denied.public, status) from None

    def _admitted(self, principal: Principal) -> Principal:
        """Return the principal with the groups that are declared for it. Raises Denied."""
        accounts, name = self._attempt.policy.accounts, principal.name
        self._attempt.claimed = name  # proven by the signature: what others do in its name is nothing to it
        if self._authorization_id not in {None, name}:
            raise TokenDenied(f"expected no other authorization id than {name!r}, found one")
        revocation = self._attempt.policy.revocations.of(principal.claims)
        if revocation is not None:
            raise TokenDenied(f"the token of {name!r} falls under TokenRevocation {revocation}")
        if accounts.is_disabled(name):
            raise TokenDenied(f"the user {name!r} is disabled")
        groups = principal.groups | accounts.groups_of(name)
        return Principal(name, groups, principal.mechanism, principal.claims, principal.expires_at)


def _parts(message: bytes) -> tuple[str, str | None]:
    """Return the token and the authorization id of a client's first message. Raises Denied."""
    match = _FIRST.fullmatch(message.decode("latin-1"))
    if match is None:
        raise Denied("expected n,,^Aauth=Bearer TOKEN^A^A, found something else", _PUBLIC)
    pairs = [pair.partition("=") for pair in match["pairs"].split(_SEPARATOR) if pair]
    authorizations = [value for key, _, value in pairs if key.lower() == "auth"]
    if len(authorizations) != 1:
        raise Denied(f"expected auth= once, found it {len(authorizations)} times", _PUBLIC)
    bearer = _AUTH.fullmatch(authorizations[0])
    if bearer is None:
        raise Denied("expected auth=Bearer TOKEN, found something else", _PUBLIC)
    return bearer["token"], match["authzid"]
