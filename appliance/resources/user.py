"""User: somebody whom the gateway knows by a password that it does not have."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from appliance.resources.envelope import DeclaredResource, Spec

ScramMechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512"]
DIGEST_BYTES: Mapping[ScramMechanism, int] = {"SCRAM-SHA-256": 32, "SCRAM-SHA-512": 64}

_SCRYPT_MEMORY = 256 * 2**20
"""Bytes that one check may take (128 * n * r)."""


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64, as `tidegate user NAME` writes it") from None
    return text


Base64 = Annotated[str, AfterValidator(_base64)]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ScramVerifier(Spec):
    """What a server keeps of a password for SCRAM (RFC 5802): enough to check a proof, not enough to make one."""

    salt: Base64
    iterations: int = Field(ge=4096, le=1_000_000)
    stored_key: Base64 = Field(repr=False)
    server_key: Base64 = Field(repr=False)

    @model_validator(mode="after")
    def _salted(self) -> Self:
        if len(base64.b64decode(self.salt)) < 12:
            raise ValueError("salt: expected at least 12 bytes")
        return self


class ScryptHash(Spec):
    """A password hash for PLAIN (RFC 7914)."""

    salt: Base64
    n: int = Field(ge=2**10, le=2**20)
    """CPU and memory cost, a power of two."""
    r: int = Field(ge=1, le=64)
    p: int = Field(ge=1, le=16)
    hash: Base64 = Field(repr=False)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.n & (self.n - 1):
            raise ValueError(f"n: expected a power of two, found {self.n}")
        if 128 * self.n * self.r > _SCRYPT_MEMORY:
            raise ValueError("n, r: expected 128 * n * r of at most 256 MiB, the memory of one check")
        if len(base64.b64decode(self.salt)) < 12 or len(base64.b64decode(self.hash)) < 32:
            raise ValueError("expected a salt of at least 12 bytes and a hash of at least 32")
        return self


class UserSpec(Spec):
    """Who may come in by PLAIN or SCRAM, and the groups of a principal however it comes in.

    A user without `scram` and `scrypt` cannot log in with a password; it gives groups to a principal of its name that
    a certificate or a token proves, or, with `enabled: false`, shuts it out.
    """

    username: UserName | None = None
    """As clients say it; the resource's name where absent."""
    enabled: bool = True
    """False: nobody comes in under this name, and connections that stand under it end."""
    groups: list[Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=list)
    scram: dict[ScramMechanism, ScramVerifier] = Field(default_factory=dict)
    scrypt: ScryptHash | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_password(cls, value: object) -> object:
        if isinstance(value, dict) and "password" in value:
            # ValueError's text goes to logs and terminals: the value stays out of it.
            raise ValueError("password: a password never stands in a resource; make its verifiers: tidegate user NAME")
        return value

    @model_validator(mode="after")
    def _whole_keys(self) -> Self:
        for mechanism, verifier in self.scram.items():
            for name in ("stored_key", "server_key"):
                found = len(base64.b64decode(getattr(verifier, name)))
                if found != DIGEST_BYTES[mechanism]:
                    raise ValueError(
                        f"scram.{mechanism}.{name}: expected {DIGEST_BYTES[mechanism]} bytes, found {found}"
                    )
        return self


class User(DeclaredResource):
    kind: Literal["User"] = "User"
    spec: UserSpec

    @property
    def username(self) -> str:
        """Return the name that clients say."""
        return self.spec.username or self.name
