"""How a client gets in: an address, and what it needs to be let in there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]


@dataclass(frozen=True)
class Security:
    """TLS with a private authority, and SASL. The password stays in its file: command lines can be read by others."""

    ca: Path
    """PEM. Every client of the matrix takes it: the Java ones since 2.7 (KIP-651)."""
    mechanism: Mechanism
    user: str
    password_file: Path

    @property
    def password(self) -> str:
        """The password, for files that only its user can read."""
        return self.password_file.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Access:
    """One listener, as its clients are told of it. Without security: plain."""

    bootstrap: str
    security: Security | None = None

    def by(self, mechanism: Mechanism | None) -> Access:
        """Return the same way in by another mechanism, where there is one to choose."""
        if self.security is None or mechanism is None:
            return self
        return replace(self, security=replace(self.security, mechanism=mechanism))

    def flags(self) -> list[str]:
        """Return the arguments that our own programs take."""
        flags = ["--bootstrap", self.bootstrap]
        if self.security is not None:
            flags += ["--ca", str(self.security.ca), "--mechanism", self.security.mechanism]
            flags += ["--user", self.security.user, "--password-file", str(self.security.password_file)]
        return flags

    def librdkafka(self) -> dict[str, str]:
        """Return what librdkafka and all that is built on it call these settings."""
        settings = {"bootstrap.servers": self.bootstrap}
        if self.security is not None:
            settings |= {
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(self.security.ca),
                "sasl.mechanism": self.security.mechanism,
                "sasl.username": self.security.user,
                "sasl.password": self.security.password,
            }
        return settings

    def java(self, prefix: str = "") -> dict[str, str]:
        """Return what Java clients call these settings, without the bootstrap address; `prefix` is put before each."""
        if self.security is None:
            return {}
        plain = self.security.mechanism == "PLAIN"
        module = f"org.apache.kafka.common.security.{'plain.Plain' if plain else 'scram.Scram'}LoginModule"
        return {
            f"{prefix}security.protocol": "SASL_SSL",
            f"{prefix}ssl.truststore.type": "PEM",
            f"{prefix}ssl.truststore.location": str(self.security.ca),
            f"{prefix}sasl.mechanism": self.security.mechanism,
            f"{prefix}sasl.jaas.config": (
                f'{module} required username="{self.security.user}" password="{self.security.password}";'
            ),
        }
