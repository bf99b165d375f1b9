"""How the gateway reaches a cluster: TLS, and as whom."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from appliance.resources.envelope import Spec
from appliance.resources.listener_tls import TlsVersion
from appliance.resources.secret import PRINCIPAL, Path, SecretRef, Url
from appliance.resources.user import ScramMechanism

_Text = Annotated[str, StringConstraints(min_length=1)]
WAYS = ("plain", "scram", "oauthbearer", "per_principal")


class ClusterTls(Spec):
    """TLS towards a cluster. All files are PEM and read anew when they change."""

    ca: Path | None = None
    """Who vouches for the brokers; the system's certificates where absent."""
    certificate: Path | None = None
    """The gateway's own chain, for brokers that ask for it."""
    private_key: Path | None = None
    private_key_password: SecretRef | None = None
    check_server_name: bool = True
    """False: any certificate that `ca` vouches for is good for any broker."""
    min_version: TlsVersion = "1.2"

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if self.private_key_password is not None and self.private_key is None:
            raise ValueError("private_key_password: there is no private_key")
        return self


class PlainCredentials(Spec):
    """One identity by PLAIN."""

    username: _Text
    password: SecretRef


class ScramCredentials(Spec):
    """One identity by SCRAM."""

    mechanism: ScramMechanism = "SCRAM-SHA-512"
    username: _Text
    password: SecretRef


class ClientCredentials(Spec):
    """One identity by OAUTHBEARER, with tokens from the client credentials grant (RFC 6749, section 4.4)."""

    token_endpoint: Url = Field(examples=["https://login.example/realms/kafka/protocol/openid-connect/token"])
    client_id: _Text
    client_secret: SecretRef
    scope: _Text | None = None
    ca: Path | None = None
    """Who vouches for the token endpoint; the system's certificates where absent."""


class PrincipalCredentials(Spec):
    """What one principal is to the cluster; the username is the principal's name where absent."""

    username: _Text | None = None
    password: SecretRef


class PerPrincipal(Spec):
    """Each client goes upstream under its own name; one without credentials is refused."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    principals: dict[_Text, PrincipalCredentials] = Field(default_factory=dict)
    """The principal's name at the gateway -> its credentials."""
    others: PrincipalCredentials | None = None
    """For every other principal: `{principal}` in the password's file or path is its name."""

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if not self.principals and self.others is None:
            raise ValueError("expected principals, others or both; found none")
        if self.others is not None and not self.others.password.per_principal:
            raise ValueError(f"others.password: expected {PRINCIPAL} in its file or path; it would be one for all")
        return self

    def credentials_of(self, principal: str) -> tuple[str, SecretRef] | None:
        """Return username and password of a principal, None where it has none.

        Raises ValueError for a name that cannot be put into a path.
        """
        found = self.principals.get(principal, self.others)
        if found is None:
            return None
        return found.username or principal, found.password.for_principal(principal)


class ClusterAuthentication(Spec):
    """As whom the gateway comes to the brokers: exactly one of the four ways.

    Without it the client's own SASL passes through (a listener that delegates), or nobody says anything.
    """

    plain: PlainCredentials | None = None
    scram: ScramCredentials | None = None
    oauthbearer: ClientCredentials | None = None
    per_principal: PerPrincipal | None = None
    allow_without_tls: bool = False
    """PLAIN and OAUTHBEARER send what proves us as it is: without TLS only where this is said."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(WAYS)}; found {', '.join(given) or 'none'}")
        return self

    @property
    def mechanism(self) -> str:
        """Return the SASL mechanism."""
        if self.scram is not None:
            return self.scram.mechanism
        if self.per_principal is not None:
            return self.per_principal.mechanism
        return "PLAIN" if self.plain is not None else "OAUTHBEARER"
