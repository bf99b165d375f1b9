"""Key sets (RFC 7517) that token signatures are checked with: kept per source, renewed with restraint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import jwt

from appliance.identity.errors import KeySetError

MAX_AGE = 3600.0
"""Seconds after which a key set is fetched anew: a key that the issuer withdrew is good for so long."""
MIN_INTERVAL = 10.0
"""Seconds between two fetches: tokens with invented key ids must not become load on the issuer."""
_KEYS = 64
"""More keys than an issuer has in use; a longer document is refused."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One public key; `algorithm` is None where the document does not bind the key to one."""

    kid: str | None
    kty: str
    algorithm: str | None
    key: jwt.PyJWK = field(repr=False)


class KeySet:
    """The keys of one source (a URL or a file path), as last read.

    A failed fetch leaves the keys that are there in place: an issuer that is down does not end what its keys vouch for.
    """

    def __init__(self, source: str, *, max_age: float = MAX_AGE, min_interval: float = MIN_INTERVAL) -> None:
        self.source = source
        self.attempts = 0
        """How many fetches have ended, well or not."""
        self.failure: str | None = None
        """Why the last fetch failed; None where it did not."""
        self._max_age = max_age
        self._min_interval = min_interval
        self._keys: tuple[SigningKey, ...] = ()
        self._loaded_at: float | None = None
        self._tried_at: float | None = None

    def load(self, document: bytes, now: float) -> None:
        """Take what the source gave; a document that is no key set counts as a failed fetch."""
        try:
            keys = parse_keys(document)
        except KeySetError as error:
            self.failed(str(error), now)
            return
        self.attempts += 1
        self.failure = None
        self._tried_at = self._loaded_at = now
        self._keys = keys

    def failed(self, reason: str, now: float) -> None:
        """Note that the source could not be read."""
        self.attempts += 1
        self.failure = reason
        self._tried_at = now

    def due(self, now: float) -> bool:
        """Return whether it is time to fetch: nothing is there or it is old, and the last attempt is not too recent."""
        old = self._loaded_at is None or now - self._loaded_at >= self._max_age
        return old and self.may_fetch(now)

    def may_fetch(self, now: float) -> bool:
        """Return whether the last attempt is long enough ago for another."""
        return self._tried_at is None or now - self._tried_at >= self._min_interval

    def find(self, kid: str | None, kty: str) -> Iterator[SigningKey]:
        """Return the keys of this type, of this id where one is given."""
        return (each for each in self._keys if each.kty == kty and (kid is None or each.kid == kid))


class KeySets:
    """The key sets of a process: one per source, whatever policies come and go."""

    def __init__(self) -> None:
        self._sets: dict[str, KeySet] = {}

    def of(self, source: str) -> KeySet:
        """Return the key set of a source, always the same one."""
        return self._sets.setdefault(source, KeySet(source))


def parse_keys(document: bytes) -> tuple[SigningKey, ...]:
    """Return the keys that can check signatures; those for encryption and of unknown types are left out.

    Raises KeySetError for anything but a key set with at least one such key.
    """
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeySetError("expected a JSON Web Key Set, an object with keys; found something else") from error
    if not isinstance(entries, list) or len(entries) > _KEYS:
        raise KeySetError(f"expected a JSON Web Key Set with a list of up to {_KEYS} keys; found something else")
    found = tuple(key for entry in entries if (key := _signing_key(entry)) is not None)
    if not found:
        raise KeySetError(f"expected a key of type RSA, EC or OKP for signatures; found none in {len(entries)}")
    return found


def _signing_key(entry: object) -> SigningKey | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
        return None  # oct above all: a secret in a public document, and the way to confuse key and algorithm
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if entry.get("use", "sig") != "sig" or not isinstance(kid, str | None) or not isinstance(algorithm, str | None):
        return None
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return SigningKey(kid, entry["kty"], algorithm, key)
