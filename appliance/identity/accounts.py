"""The users whom the gateway knows, ready to be asked; and what is shown for those whom it does not know."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from appliance.identity.verifiers import (
    HASHES,
    ITERATIONS,
    SALT_BYTES,
    SCRYPT_N,
    SCRYPT_P,
    SCRYPT_R,
    PasswordCheck,
    ScramCheck,
    ScramSecrets,
    ScryptCheck,
)
from appliance.resources.user import User

_Profile = tuple[str, int, int, int, int]
"""How costly a check is, and how long its salt: mechanism or scrypt, its numbers, bytes of salt."""


@dataclass(frozen=True, slots=True)
class Account:
    """One user."""

    name: str
    enabled: bool
    groups: frozenset[str]
    scram: Mapping[str, ScramSecrets]
    password: PasswordCheck | None
    """How a password in clear text (PLAIN) is checked; None: this user has none."""


class Accounts:
    """All users at one moment; immutable.

    `disguise` is a secret of this gateway: what an unknown name is shown (a salt, a cost) follows from it and the name,
    so that asking twice tells nothing. Processes and replicas that serve the same clients share it, or asking two of
    them would tell.
    """

    def __init__(self, accounts: Iterable[Account], disguise: bytes) -> None:
        self._accounts = MappingProxyType({each.name: each for each in accounts})
        self._disguise = disguise
        checks = [each.password for each in self._accounts.values() if each.password is not None]
        self._profiles = sorted({_profile(each) for each in checks})
        self._scram_profiles = {
            mechanism: sorted(
                {
                    (secrets.iterations, len(secrets.salt))
                    for each in self._accounts.values()
                    if (secrets := each.scram.get(mechanism)) is not None
                }
            )
            for mechanism in HASHES
        }

    @classmethod
    def of(cls, users: Iterable[User], disguise: bytes) -> Accounts:
        """Return the declared users as accounts."""
        return cls(map(account_of, users), disguise)

    def get(self, name: str) -> Account | None:
        """Return the user of this name, enabled or not."""
        return self._accounts.get(name)

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the groups that are declared for this name."""
        account = self._accounts.get(name)
        return account.groups if account else frozenset()

    def is_disabled(self, name: str) -> bool:
        """Return whether this name is shut out, however it is proven."""
        account = self._accounts.get(name)
        return account is not None and not account.enabled

    def scram_of(self, name: str, mechanism: str) -> ScramSecrets:
        """Return the user's verifier, or one that no password fits and that nobody can tell from one."""
        account = self._accounts.get(name)
        if account is not None and (secrets := account.scram.get(mechanism)) is not None:
            return secrets
        profiles = self._scram_profiles[mechanism] or [(ITERATIONS, SALT_BYTES)]
        iterations, salt_bytes = profiles[self._pick(name, len(profiles))]
        return self._scram_decoy(name, mechanism, iterations, salt_bytes)

    def password_of(self, name: str) -> PasswordCheck:
        """Return how the user's password is checked, or a check of the same cost that nothing passes."""
        account = self._accounts.get(name)
        if account is not None and account.password is not None:
            return account.password
        profiles = self._profiles or [("scrypt", SCRYPT_N, SCRYPT_R, SCRYPT_P, SALT_BYTES)]
        kind, first, r, p, salt_bytes = profiles[self._pick(name, len(profiles))]
        if kind == "scrypt":
            return ScryptCheck(self._secret("salt", name, salt_bytes), first, r, p, self._secret("hash", name, 32))
        return ScramCheck(kind, self._scram_decoy(name, kind, first, salt_bytes))

    def _scram_decoy(self, name: str, mechanism: str, iterations: int, salt_bytes: int) -> ScramSecrets:
        size = hashlib.new(HASHES[mechanism]).digest_size
        return ScramSecrets(
            self._secret(f"salt {mechanism}", name, salt_bytes),
            iterations,
            self._secret(f"stored {mechanism}", name, size),
            self._secret(f"server {mechanism}", name, size),
        )

    def _pick(self, name: str, count: int) -> int:
        return int.from_bytes(self._secret("pick", name, 8), "big") % count

    def _secret(self, what: str, name: str, size: int) -> bytes:
        key = hmac.digest(self._disguise, f"{what}\0{name}".encode("utf-8", "surrogatepass"), "sha256")
        return hashlib.shake_256(key).digest(size)


def account_of(user: User) -> Account:
    """Return a declared user as an account."""
    scram: dict[str, ScramSecrets] = {
        mechanism: ScramSecrets.of(verifier) for mechanism, verifier in user.spec.scram.items()
    }
    password: PasswordCheck | None = None
    if user.spec.scrypt is not None:
        password = ScryptCheck.of(user.spec.scrypt)
    elif scram:
        strongest = max(scram)
        password = ScramCheck(strongest, scram[strongest])
    groups = frozenset(user.spec.groups)
    return Account(user.username, user.spec.enabled, groups, MappingProxyType(scram), password)


def _profile(check: PasswordCheck) -> _Profile:
    if isinstance(check, ScryptCheck):
        return ("scrypt", check.n, check.r, check.p, len(check.salt))
    return (check.mechanism, check.secrets.iterations, 0, 0, len(check.secrets.salt))
