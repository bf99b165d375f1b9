"""How clients of a listener prove who they are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from appliance.resources.envelope import Spec
from appliance.resources.secret import Path, Url
from appliance.resources.units import Duration

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by public keys. `none` and the HMAC algorithms are not among them: they prove nothing here."""
WAYS = ("anonymous", "delegated", "certificate", "mechanisms")

_Text = Annotated[str, StringConstraints(min_length=1)]


class OAuthBearer(Spec):
    """Which tokens are good at a listener (RFC 7519, KIP-768). Exactly one of `jwks_url`, `jwks_file`."""

    issuer: _Text
    """The tokens' `iss`."""
    audience: list[_Text] = Field(min_length=1)
    """One of them must be in the tokens' `aud`."""
    jwks_url: Url | None = Field(
        default=None, examples=["https://login.example/realms/kafka/protocol/openid-connect/certs"]
    )
    jwks_file: Path | None = None
    algorithms: list[Algorithm] = Field(default=["RS256", "PS256", "ES256", "EdDSA"], min_length=1)
    clock_skew: Duration = Field(default=30.0, ge=0, le=300, json_schema_extra={"default": "30s"})
    """How far the issuer's clock and ours may be apart."""
    principal_claim: _Text = "sub"
    groups_claim: _Text | None = Field(default=None, examples=["realm_access.roles"])
    """Where the groups stand: a claim, or the way to it with dots; a list of texts, or a text with spaces."""
    required_scopes: list[_Text] = Field(default_factory=list)
    """All must be in the token's `scope` (or `scp`)."""
    required_claims: dict[_Text, _Text] = Field(default_factory=dict)
    """Claim -> the value that it must have, or have among others."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("expected exactly one of jwks_url, jwks_file")
        return self

    @property
    def jwks(self) -> str:
        """Return the URL or the path of the key set."""
        source = self.jwks_url or self.jwks_file
        assert source is not None
        return source


class ListenerAuthentication(Spec):
    """How clients prove who they are: exactly one of the four ways."""

    anonymous: Literal[True] | None = None
    """Nobody proves anything: everyone is User:ANONYMOUS."""
    delegated: Literal[True] | None = None
    """The broker asks, by whatever mechanism it likes; the gateway lets it pass. What holds where nothing is said."""
    certificate: Literal[True] | None = None
    """The client's certificate says who it is (tls.client_auth: required)."""
    mechanisms: list[Mechanism] | None = Field(default=None, min_length=1)
    """The gateway asks, by one of these SASL mechanisms."""
    oauthbearer: OAuthBearer | None = None
    """For the mechanism OAUTHBEARER."""
    session_lifetime: Duration | None = Field(default=None, gt=0)
    """Clients must authenticate again after this long (KIP-368), with a token: not later than it expires."""
    allow_without_tls: bool = False
    """PLAIN and OAUTHBEARER send what proves the client as it is: without TLS only where this is said."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(WAYS)}; found {', '.join(given) or 'none'}")
        mechanisms = self.mechanisms or []
        if len(set(mechanisms)) != len(mechanisms):
            raise ValueError("mechanisms: one is said twice")
        if ("OAUTHBEARER" in mechanisms) != (self.oauthbearer is not None):
            raise ValueError("mechanisms: OAUTHBEARER and oauthbearer, which tokens are good, go together")
        if self.session_lifetime is not None and not mechanisms:
            raise ValueError("session_lifetime: goes with mechanisms, the others cannot authenticate again")
        return self

    @property
    def exposed(self) -> list[Mechanism]:
        """Return the mechanisms that must not be spoken where others can read along."""
        return [each for each in self.mechanisms or [] if each in {"PLAIN", "OAUTHBEARER"}]
