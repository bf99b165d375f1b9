"""TLS contexts from the files that listeners and clusters name, made anew when a file changes.

The files are looked at when a connection is made (three calls of stat), not watched: a new certificate holds from the
next connection on, and those that stand keep theirs. Where new files are no good, the last good context stays in use
and the log says what is wrong with them.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from appliance.gateway.errors import TlsUnusable
from appliance.gateway.secrets import Secrets
from appliance.resources.cluster_security import ClusterTls
from appliance.resources.listener_tls import ListenerTls
from appliance.resources.secret import SecretRef

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_Stamps = tuple[tuple[int, int, int], ...]
_Tls = TypeVar("_Tls", ListenerTls, ClusterTls)

log = logging.getLogger("tidegate.gateway")


@dataclass
class _Made:
    spec: ListenerTls | ClusterTls
    stamps: _Stamps
    context: ssl.SSLContext


class Certificates:
    """The contexts of a process. Every method raises TlsUnusable, which names the file."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._made: dict[tuple[str, str], _Made] = {}

    async def of_listener(self, name: str, tls: ListenerTls) -> ssl.SSLContext:
        """Return what a listener shows and asks for now."""
        files = (tls.certificate, tls.private_key, tls.client_ca)
        return await self._context(f"listener {name}", "server", tls, files, tls.private_key_password, _server_context)

    async def of_cluster(self, name: str, tls: ClusterTls) -> ssl.SSLContext:
        """Return how the gateway meets the brokers of a cluster now."""
        files = (tls.ca, tls.certificate, tls.private_key)
        return await self._context(f"cluster {name}", "client", tls, files, tls.private_key_password, _client_context)

    async def _context(
        self,
        owner: str,
        side: str,
        tls: _Tls,
        files: tuple[str | None, ...],
        password: SecretRef | None,
        make: Callable[[_Tls, str | None], ssl.SSLContext],
    ) -> ssl.SSLContext:
        last = self._made.get((owner, side))
        try:
            stamps = tuple(_stamp(owner, file) for file in files if file is not None)
            if last is not None and last.spec == tls and last.stamps == stamps:
                return last.context
            secret = await self._secrets.resolve(password) if password is not None else None
            context = _made(owner, tls, secret, make)
        except TlsUnusable as error:
            if last is None or last.spec != tls:
                raise
            log.error("%s; the last good files stay in use", error)
            return last.context
        if last is not None:
            log.info("%s: TLS files read anew", owner)
        self._made[owner, side] = _Made(tls, stamps, context)
        return context


def _stamp(owner: str, file: str) -> tuple[int, int, int]:
    try:
        found = Path(file).stat()
    except OSError as error:
        raise TlsUnusable(f"{owner}: {file}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _made(
    owner: str, tls: _Tls, password: str | None, make: Callable[[_Tls, str | None], ssl.SSLContext]
) -> ssl.SSLContext:
    try:
        return make(tls, password)
    except ssl.SSLError as error:
        what = "the private key fits the certificate, and the password the key" if tls.private_key else "certificates"
        raise TlsUnusable(f"{owner}: expected PEM files that OpenSSL can read ({what}): {error.reason}") from error
    except (OSError, ValueError) as error:
        raise TlsUnusable(f"{owner}: its TLS files cannot be used: {error}") from error


def _server_context(tls: ListenerTls, password: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.load_cert_chain(tls.certificate, tls.private_key, password=password or _no_password)
    context.verify_mode = _CLIENT_AUTH[tls.client_auth]
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
    return context


def _client_context(tls: ClusterTls, password: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.check_hostname = tls.check_server_name
    if tls.ca is not None:
        context.load_verify_locations(tls.ca)
    else:
        context.load_default_certs()
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.private_key, password=password or _no_password)
    return context


def _no_password() -> str:
    """OpenSSL would ask the terminal for the password of an encrypted key."""
    raise ValueError("the private key is encrypted: say private_key_password")
