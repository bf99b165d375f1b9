"""Which bearer tokens are good (RFC 7519, RFC 9068, KIP-768), and whom they speak for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

import jwt

from appliance.identity.errors import Denied
from appliance.identity.keys import KeySet, SigningKey
from appliance.identity.principal import Principal
from appliance.identity.steps import WantKeys
from appliance.resources.listener_authentication import OAuthBearer

MECHANISM = "OAUTHBEARER"
_KEY_TYPES = {"R": "RSA", "P": "RSA", "E": "EC"}
_MAX_NAME = 255
INVALID = "invalid_token"
INSUFFICIENT = "insufficient_scope"


class TokenDenied(Denied):
    """A token that is not good; `status` is the word of RFC 6750 for it."""

    def __init__(self, reason: str, status: str = INVALID) -> None:
        super().__init__(reason, "Authentication failed: the token is not accepted")
        self.status = status


class TokenRules:
    """The rules of one listener, over a key set that outlives them."""

    def __init__(self, spec: OAuthBearer, keys: KeySet) -> None:
        self._spec = spec
        self._keys = keys
        self._algorithms = frozenset(spec.algorithms)
        self._jws = jwt.PyJWS()

    def verify(self, token: str, now: float) -> Principal | WantKeys:
        """Return whom a good token speaks for, or that keys must be fetched before that can be said.

        Nothing of the token is believed before its signature. Raises TokenDenied.
        """
        header = self._header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            expected = ", ".join(sorted(self._algorithms))
            raise TokenDenied(f"expected a token signed with {expected}; found {str(algorithm)[:20]!r}")
        kid = header.get("kid")
        if not isinstance(kid, str | None):
            raise TokenDenied("expected the token's kid to be a text")
        if self._keys.due(now):
            return WantKeys(self._keys, self._keys.attempts)
        key = self._key(algorithm, kid)
        if key is None:
            if self._keys.may_fetch(now):
                return WantKeys(self._keys, self._keys.attempts)
            raise TokenDenied(self._no_key(kid))
        return self._principal(self._claims(token, algorithm, key), now)

    def _header(self, token: str) -> dict[str, object]:
        try:
            return dict(self._jws.get_unverified_header(token))
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenDenied(f"expected a signed token, found none: {type(error).__name__}") from None

    def _key(self, algorithm: str, kid: str | None) -> SigningKey | None:
        """Return the key that must have signed; without a kid in the token only where there is no choice."""
        found = [
            each
            for each in self._keys.find(kid, _KEY_TYPES.get(algorithm[0], "OKP") if algorithm != "EdDSA" else "OKP")
            if each.algorithm in {None, algorithm}
        ]
        return found[0] if len(found) == 1 else None

    def _no_key(self, kid: str | None) -> str:
        why = f"; the last fetch failed: {self._keys.failure}" if self._keys.failure else ""
        which = f"the key id {kid[:80]!r}" if kid is not None else "no key id, where one is needed to choose"
        return f"expected a token signed with a key of {self._keys.source}; found {which}{why}"

    def _claims(self, token: str, algorithm: str, key: SigningKey) -> dict[str, object]:
        try:
            payload = self._jws.decode(
                token, key.key.key, [algorithm], options={"verify_signature": True, "enforce_minimum_key_length": True}
            )
            claims = json.loads(payload)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise TokenDenied(f"expected a good signature, found none: {type(error).__name__}") from None
        if not isinstance(claims, dict):
            raise TokenDenied("expected the token to hold claims, found something else")
        return claims

    def _principal(self, claims: dict[str, object], now: float) -> Principal:
        spec = self._spec
        expires_at = self._times(claims, now)
        if claims.get("iss") != spec.issuer:
            raise TokenDenied(f"iss: expected {spec.issuer}; found {_shown(claims.get('iss'))}")
        if not set(spec.audience) & set(_texts(claims.get("aud"))):
            raise TokenDenied(f"aud: expected one of {', '.join(spec.audience)}; found {_shown(claims.get('aud'))}")
        for name, value in spec.required_claims.items():
            if value not in _words(_at(claims, name)):
                raise TokenDenied(f"{name}: expected {value}; found {_shown(_at(claims, name))}")
        scopes = {*_words(claims.get("scope")), *_words(claims.get("scp"))}
        if missing := [each for each in spec.required_scopes if each not in scopes]:
            raise TokenDenied(f"scope: expected {' '.join(missing)} among the scopes, found none of it", INSUFFICIENT)
        speaker = _at(claims, spec.principal_claim)
        if not isinstance(speaker, str) or not 0 < len(speaker) <= _MAX_NAME or not speaker.isprintable():
            raise TokenDenied(f"{spec.principal_claim}: expected the principal's name; found {_shown(speaker)}")
        groups = frozenset(_words(_at(claims, spec.groups_claim)) if spec.groups_claim else ())
        return Principal(speaker, groups, MECHANISM, MappingProxyType(claims), expires_at)

    def _times(self, claims: Mapping[str, object], now: float) -> float:
        skew = self._spec.clock_skew
        expires_at = _instant(claims, "exp")
        if expires_at is None:
            raise TokenDenied("exp: expected when the token expires, found nothing")
        if now >= expires_at + skew:
            raise TokenDenied(
                f"exp: expected a token that is valid; found one that expired {now - expires_at:.0f} s ago"
            )
        for name in ("nbf", "iat"):
            begins = _instant(claims, name)
            if begins is not None and now < begins - skew:
                raise TokenDenied(f"{name}: expected a token that is valid; found one from {begins - now:.0f} s ahead")
        return expires_at + skew


def _instant(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        raise TokenDenied(f"{name}: expected seconds since 1970; found {_shown(value)}")
    return float(value)


def _at(claims: Mapping[str, object], path: str) -> object:
    """Return the claim of this name, or what lies at the end of a way with dots."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _words(value: object) -> list[str]:
    """Return a list of texts, or the words of one text."""
    return value.split() if isinstance(value, str) else _texts(value)


def _shown(value: object) -> str:
    """Return a claim's value for the audit trail, cut short."""
    return repr(value)[:120] if value is not None else "nothing"
