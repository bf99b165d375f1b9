"""How a drill's clients come to the gateway: as they are, or over TLS, each as a user of its own.

Certificates and passwords are made for one run. Passwords live in this process alone: the gateway is given verifiers,
the client library its settings. The server's key lies in the run's directory for as long as the gateway may read it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from appliance.identity.authority import Authority
from appliance.identity.verifiers import SALT_BYTES, make_scram
from appliance.journal.events import Security
from appliance.resources.envelope import Metadata
from appliance.resources.listener_authentication import ListenerAuthentication
from appliance.resources.listener_tls import ListenerTls
from appliance.resources.user import ScramMechanism, User, UserSpec

_MECHANISM: ScramMechanism = "SCRAM-SHA-512"
_HOST = "127.0.0.1"
_PASSWORD_BYTES = 24


@dataclass(frozen=True)
class Access:
    """What the gateway is told of its clients, and what each client needs to come in."""

    tls: ListenerTls | None = None
    authentication: ListenerAuthentication | None = None
    users: tuple[User, ...] = ()
    ca: Path | None = None
    """The certificate that vouches for the gateway's."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Client -> its password."""

    def settings(self, client: str) -> dict[str, str]:
        """Return librdkafka's settings by which this client comes in; they hold its password."""
        if self.ca is None:
            return {}
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanism": _MECHANISM,
            "sasl.username": client,
            "sasl.password": self.passwords[client],
        }


@contextmanager
def open_access(security: Security, clients: Iterable[str], folder: Path) -> Iterator[Access]:
    """Make what is needed for `security`; files go into `folder`, and the key is removed when the block ends."""
    if security == "none":
        yield Access()
        return
    authority = Authority(datetime.now(UTC))
    server = authority.server([_HOST])
    passwords = {client: secrets.token_urlsafe(_PASSWORD_BYTES) for client in clients}
    folder.mkdir()
    ca, certificate, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca.write_bytes(authority.identity.certificate_pem)
    certificate.write_bytes(server.certificate_pem)
    key.touch(mode=0o600)
    key.write_bytes(server.key_pem)
    try:
        yield Access(
            tls=ListenerTls(certificate=str(certificate), private_key=str(key)),
            authentication=ListenerAuthentication(mechanisms=[_MECHANISM]),
            users=tuple(_user(client, password) for client, password in passwords.items()),
            ca=ca,
            passwords=passwords,
        )
    finally:
        key.unlink(missing_ok=True)


def _user(client: str, password: str) -> User:
    verifier = make_scram(_MECHANISM, password, os.urandom(SALT_BYTES))
    return User(metadata=Metadata(name=client), spec=UserSpec(scram={_MECHANISM: verifier}))
