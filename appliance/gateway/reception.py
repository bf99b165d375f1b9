"""From an accepted connection to a client that is known: PROXY header, TLS, which host was asked for, who asks.

Everything in here happens before a byte goes upstream, and within the time that the listener allows.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from appliance.exchange import versions
from appliance.exchange.software import software_in
from appliance.exchange.step import NotAuthenticated, NotSecured, OverLimit
from appliance.gateway.admission import Admission
from appliance.gateway.audit import audit
from appliance.gateway.certificates import Certificates
from appliance.gateway.channel import PlainChannel
from appliance.gateway.login import Logins
from appliance.gateway.proxy_header import read_proxy_header
from appliance.gateway.server_names import asked_name
from appliance.gateway.session import Session
from appliance.gateway.snapshot import Door
from appliance.gateway.tls import TlsChannel, shake_hands
from appliance.gateway.welcome import welcome
from appliance.identity.certificate import CertificateMapping
from appliance.identity.conversation import Conversation
from appliance.identity.errors import CertificateError
from appliance.identity.policy import ANONYMOUS, IdentityPolicy
from appliance.identity.throttle import Throttle

_NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
"""OpenSSL's reason."""

Offered = Callable[[Session], Awaitable[Any]]
"""What the cluster that serves a session says of its versions (kio's ApiVersionsResponse)."""


class Reception:
    """Of a process. `current` returns a door as the snapshot that holds now has it, None where it is gone."""

    def __init__(
        self,
        certificates: Certificates,
        logins: Logins,
        *,
        admission: Callable[[Door], Admission],
        current: Callable[[Door], Door | None],
        offered: Offered,
    ) -> None:
        self._certificates = certificates
        self._logins = logins
        self._admission = admission
        self._current = current
        self._offered = offered
        self._throttle = Throttle()

    async def receive(self, session: Session, doors: Sequence[Door]) -> None:
        """Complete the session: door, node, address, channel, principal.

        Raises Refused for whoever may not come in, Malformed for bytes that are not what the listener expects, OSError
        for a broken connection, TlsUnusable where our own files are no good.
        """
        seconds = session.door.spec.limits.unauthenticated
        with trio.move_on_after(seconds) as limit:
            await self._receive(session, doors)
        if limit.cancelled_caught:
            raise OverLimit(f"the client was not known after {seconds:g} s (limits.unauthenticated)")

    async def _receive(self, session: Session, doors: Sequence[Door]) -> None:
        if session.door.spec.proxy_protocol == "required":
            behind = await read_proxy_header(session.sock)
            if behind is not None:
                self._readmit(session, session.door, behind)
        if session.door.spec.sni is not None:
            await self._choose(session, doors)
        await self._secure(session)
        await self._identify(session)

    def _readmit(self, session: Session, door: Door, address: tuple[str, int]) -> None:
        """Count the session where it turned out to belong."""
        self._admission(session.door).leave(session.address)
        session.counted = False
        session.door, (session.address, session.port) = door, address
        self._admission(door).enter(door.spec.limits, session.address)
        session.counted = True

    async def _choose(self, session: Session, doors: Sequence[Door]) -> None:
        """Find the listener and the broker whose host name was asked for."""
        name = await asked_name(session.sock)
        for door in doors:
            sni = door.spec.sni
            if name is None or sni is None:
                continue
            node_id = sni.node_id_of(name)
            if node_id is not None or name.lower() == sni.bootstrap:
                self._readmit(session, door, (session.address, session.port))
                session.node_id = node_id
                return
        known = ", ".join(f"{door.spec.sni.bootstrap}, {door.spec.sni.broker}" for door in doors if door.spec.sni)
        found = "no host name" if name is None else ascii(name[:253])
        raise NotSecured(f"expected one of the host names {known} in the TLS handshake, found {found}")

    async def _secure(self, session: Session) -> None:
        tls = session.door.spec.tls
        if tls is None:
            session.channel = PlainChannel(session.sock)
            return
        context = await self._certificates.of_listener(session.door.name, tls)
        sock = session.sock = context.wrap_socket(session.sock, server_side=True, do_handshake_on_connect=False)
        try:
            await shake_hands(sock)
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLCertVerificationError) or error.reason == _NO_CERTIFICATE:
                self._not_by_certificate(_whence(session), _in_words(error))
            raise NotSecured(f"the TLS handshake failed: {_in_words(error)}") from error
        session.channel = TlsChannel(sock)
        session.certificate = sock.getpeercert(binary_form=True)

    async def _identify(self, session: Session) -> None:
        door, asked = session.door, session.door.spec.authentication
        if asked is None or asked.delegated:
            return
        if asked.anonymous:
            session.principal = ANONYMOUS
            return
        assert door.identity is not None
        who = _whence(session)
        if asked.certificate:
            self._by_certificate(session, door.identity, who)
        else:
            session.conversation = Conversation(
                lambda: self._policy(door), entropy=os.urandom, throttle=self._throttle, address=session.address
            )
            assert session.channel is not None

            async def tell(api_version: int, body: bytes) -> tuple[int, bytes]:
                session.greeting = software_in(api_version, body)
                return versions.answer(api_version, await self._offered(session))

            await welcome(session.channel, session.conversation, self._logins, tell, who=who)
            session.principal = session.conversation.principal
        self._admission(door).identify(door.spec.limits, str(session.principal))
        session.identified = True

    def _by_certificate(self, session: Session, policy: IdentityPolicy, who: dict[str, object]) -> None:
        tls = session.door.spec.tls
        assert tls is not None
        try:
            if not session.certificate:
                raise CertificateError("expected a client certificate, found none")
            session.principal = CertificateMapping(tls).principal_of(session.certificate, policy)
        except CertificateError as error:
            self._not_by_certificate(who, str(error))
            raise NotAuthenticated(str(error)) from error
        audit("authenticated", **who, principal=str(session.principal), mechanism="TLS")
        self._logins.tallies.authenticated(who, "TLS", "accepted")

    def _not_by_certificate(self, who: dict[str, object], reason: str) -> None:
        audit("authentication failed", **who, mechanism="TLS", reason=reason)
        self._logins.tallies.authenticated(who, "TLS", "refused")

    def _policy(self, door: Door) -> IdentityPolicy:
        """Return who may come in now; for a listener that is gone, who might before."""
        policy = (self._current(door) or door).identity or door.identity
        assert policy is not None
        return policy


def _whence(session: Session) -> dict[str, object]:
    """Return where a client comes from, for the audit trail."""
    return {"listener": session.door.name, "peer": session.peer}


def _in_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    reasons = {
        "WRONG_VERSION_NUMBER": "the client does not speak TLS: set security.protocol=SSL or SASL_SSL",
        "HTTP_REQUEST": "the client does not speak TLS: set security.protocol=SSL or SASL_SSL",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client has no certificate, and this listener asks for one",
        "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the listener's certificate",
        "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept the listener's certificate",
        "UNSUPPORTED_PROTOCOL": "the client speaks only versions of TLS that are too old",
    }
    return reasons.get(error.reason or "", str(error.reason or error).lower().replace("_", " "))
