"""SecretRef: where a secret lies. Secrets never stand in a resource."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from appliance.resources.envelope import Spec

Path = Annotated[str, StringConstraints(min_length=1), Field(examples=["/etc/tidegate/secret"])]
"""A path of a file on the gateway's machine."""
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _environment_name(text: str) -> str:
    if not _ENVIRONMENT_NAME.fullmatch(text):
        raise ValueError("expected the name of an environment variable")  # not repeated: it may be the secret
    return text


EnvironmentName = Annotated[str, AfterValidator(_environment_name)]

_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:]+\]|[^\s/:@\[\]]+)(:\d{1,5})?(/\S*)?", re.ASCII)
_THIS_MACHINE = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]", re.ASCII)


def _url(text: str) -> str:
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("expected a URL without user and password, such as https://login.example/token")
    if match["scheme"] == "http" and not _THIS_MACHINE.fullmatch(match["host"]):
        raise ValueError(f"expected https, as secrets or keys go this way; found http to {match['host']}")
    return text


Url = Annotated[str, AfterValidator(_url)]
"""An HTTPS URL; plain HTTP only on this machine."""

PRINCIPAL = "{principal}"
_SAFE_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")


class TokenRef(Spec):
    """Where the token for a secret store lies. Exactly one of `file`, `env`."""

    file: Path | None = None
    env: EnvironmentName | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, ("file", "env"))
        return self


class OpenBaoRef(Spec):
    """One field of a secret in OpenBao (or Vault)."""

    address: Url = Field(examples=["https://openbao.example:8200"])
    path: Annotated[str, StringConstraints(pattern=r"^[^\s/][^\s]*$")] = Field(examples=["secret/data/kafka/orders"])
    """As in the API, without /v1/: for the key-value engine version 2 it has `data` in it."""
    field: Annotated[str, StringConstraints(min_length=1)]
    token: TokenRef
    ca: Path | None = None
    """Certificates that vouch for the store; the system's where absent."""


class SecretRef(Spec):
    """Where a secret lies. Exactly one of `file` (its content without the line end), `env`, `openbao`."""

    file: Path | None = None
    env: EnvironmentName | None = None
    openbao: OpenBaoRef | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_inline(cls, value: object) -> object:
        if isinstance(value, str):
            # The value is not repeated: it may be the secret.
            raise ValueError(
                "expected where the secret lies, {file: PATH}, {env: NAME} or {openbao: ...}; found a text"
            )
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, ("file", "env", "openbao"))
        return self

    @property
    def per_principal(self) -> bool:
        """Whether a principal's name is to be put into the path first."""
        return any(PRINCIPAL in text for text in (self.file, self.openbao and self.openbao.path) if text)

    def for_principal(self, name: str) -> SecretRef:
        """Return the reference with the principal's name in the place of `{principal}`.

        Raises ValueError for a name that could lead out of its folder or is no part of a path.
        """
        if not self.per_principal:
            return self
        if not _SAFE_PRINCIPAL.fullmatch(name):
            raise ValueError(
                f"expected a principal's name of letters, digits and . _ @ - to make a path of; found {name!r}: "
                "name its credentials in per_principal.principals"
            )
        if self.file is not None:
            return SecretRef(file=self.file.replace(PRINCIPAL, name))
        assert self.openbao is not None
        path = self.openbao.path.replace(PRINCIPAL, name)
        return SecretRef(openbao=self.openbao.model_copy(update={"path": path}))


def _exactly_one(spec: Spec, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(spec, name) is not None]
    if len(given) != 1:
        raise ValueError(f"expected exactly one of {', '.join(names)}; found {', '.join(given) or 'none'}")
