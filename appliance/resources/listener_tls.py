"""TLS at a listener."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from appliance.resources.envelope import Spec
from appliance.resources.principal_rules import parse_rule
from appliance.resources.secret import Path, SecretRef


def _rule(text: str) -> str:
    parse_rule(text)
    return text


def _version(value: object) -> object:
    """Take `1.2` without quotes too: YAML reads it as a number."""
    return str(value) if isinstance(value, float) else value


TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)]
MappingRule = Annotated[str, AfterValidator(_rule), Field(examples=["RULE:^CN=(.*?),.*$/$1/L", "DEFAULT"])]


class ListenerTls(Spec):
    """The listener's certificate, and what is asked of clients' certificates. All files are PEM and read anew when
    they change; connections that stand keep what they were made with."""

    certificate: Path
    """The chain, the listener's own certificate first."""
    private_key: Path
    private_key_password: SecretRef | None = None
    client_ca: Path | None = None
    """Who vouches for client certificates."""
    client_auth: Literal["none", "requested", "required"] = "none"
    principal_from: Literal["subject", "dns_name"] = "subject"
    """What names a client: its certificate's subject, or its one DNS name."""
    principal_mapping_rules: list[MappingRule] = Field(default_factory=list)
    """As Kafka's ssl.principal.mapping.rules, one rule an item; the name as it is where there are none."""
    min_version: TlsVersion = "1.2"

    @model_validator(mode="after")
    def _vouched_for(self) -> Self:
        if (self.client_auth == "none") != (self.client_ca is None):
            raise ValueError("client_auth and client_ca go together: say requested or required, and who vouches")
        return self
