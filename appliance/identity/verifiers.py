"""What is kept of a password: made here, and checked here."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from scramp.utils import ScramException, saslprep

from appliance.resources.user import ScramMechanism, ScramVerifier, ScryptHash

HASHES: Mapping[str, str] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS = 8192
"""Every client pays them at every login; twice Kafka's default."""
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
"""32 MiB and some 80 ms a check: paid here, once per login by PLAIN."""
SALT_BYTES = 24
_SCRYPT_SPARE = 2**20


@dataclass(frozen=True, slots=True)
class ScramSecrets:
    """A ScramVerifier in bytes."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, verifier: ScramVerifier) -> ScramSecrets:
        """Return a declared verifier in bytes."""
        salt, stored_key, server_key = map(_bytes, (verifier.salt, verifier.stored_key, verifier.server_key))
        return cls(salt, verifier.iterations, stored_key, server_key)


@dataclass(frozen=True, slots=True)
class ScramCheck:
    """Checks a password in clear text against a SCRAM verifier."""

    mechanism: str
    secrets: ScramSecrets

    def matches(self, password: bytes) -> bool:
        """Return whether it is the password; takes milliseconds."""
        stored_key, _ = scram_keys(self.mechanism, password, self.secrets.salt, self.secrets.iterations)
        return hmac.compare_digest(stored_key, self.secrets.stored_key)


@dataclass(frozen=True, slots=True)
class ScryptCheck:
    """Checks a password in clear text against an scrypt hash."""

    salt: bytes
    n: int
    r: int
    p: int
    hash: bytes = field(repr=False)

    @classmethod
    def of(cls, declared: ScryptHash) -> ScryptCheck:
        """Return a declared hash in bytes."""
        return cls(_bytes(declared.salt), declared.n, declared.r, declared.p, _bytes(declared.hash))

    def matches(self, password: bytes) -> bool:
        """Return whether it is the password; takes tens of milliseconds and 128 * n * r bytes."""
        found = _scrypt(password, self.salt, (self.n, self.r, self.p), len(self.hash))
        return hmac.compare_digest(found, self.hash)


PasswordCheck = ScramCheck | ScryptCheck


def scram_keys(mechanism: str, password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """Return StoredKey and ServerKey (RFC 5802, section 3).

    As Kafka does, the password is taken as it is, without SASLprep: `usable` refuses those that it would change.
    """
    name = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(name, password, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", name)
    return hashlib.new(name, client_key).digest(), hmac.digest(salted, b"Server Key", name)


def make_scram(mechanism: ScramMechanism, password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramVerifier:
    """Return the verifier of a password."""
    stored_key, server_key = scram_keys(mechanism, password.encode(), salt, iterations)
    return ScramVerifier(
        salt=_text(salt), iterations=iterations, stored_key=_text(stored_key), server_key=_text(server_key)
    )


def make_scrypt(password: str, salt: bytes) -> ScryptHash:
    """Return the hash of a password; takes tens of milliseconds."""
    found = _scrypt(password.encode(), salt, (SCRYPT_N, SCRYPT_R, SCRYPT_P), 32)
    return ScryptHash(salt=_text(salt), n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, hash=_text(found))


def usable(password: str) -> bool:
    """Return whether all clients send this password as the same bytes.

    Some normalise it (SASLprep, RFC 4013), Kafka's own do not: only a password that it leaves alone works with all.
    """
    try:
        return bool(password) and saslprep(password) == password
    except ScramException:
        return False


def _scrypt(password: bytes, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    n, r, p = cost
    memory = 128 * r * (n + p) + _SCRYPT_SPARE
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=length)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
