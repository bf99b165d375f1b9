"""Connecting to a broker: TCP, TLS where the cluster has it, and logging in where the cluster asks for it."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from appliance.exchange.route import Target
from appliance.gateway.certificates import Certificates
from appliance.gateway.channel import Channel, PlainChannel, receive_exactly, send_all
from appliance.gateway.credentials import Credentials
from appliance.gateway.errors import NotLoggedIn, TlsUnusable
from appliance.gateway.secrets import Secrets
from appliance.gateway.sockets import connect
from appliance.gateway.tls import TlsChannel, shake_hands
from appliance.identity.errors import UpstreamRefused
from appliance.identity.upstream.login import Ask, LoggedIn, Login, LoginStep
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, SIZE, request_frame, response_body

LogIn = Callable[[Callable[[Ask], Awaitable[bytes]]], Awaitable[float | None]]
"""Logs in on a connection on which one can ask; returns the seconds until the cluster wants that again, if ever.

Raises NotLoggedIn where the cluster refuses, and what asking raises."""
CLIENT_ID = "tidegate"
_LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True)
class Dialled:
    """A connection to a broker on which requests may go."""

    channel: Channel
    session_lifetime: float | None = None
    """Seconds until the cluster wants another login on it (KIP-368); None: it does not."""


class Dialer:
    """Of a process. Raises OSError for a broker that is not reached, TlsUnusable and NotLoggedIn for what has to be
    mended on our side."""

    def __init__(self, certificates: Certificates, credentials: Credentials) -> None:
        self._certificates = certificates
        self._credentials = credentials

    @classmethod
    def made(cls, wall: Callable[[], float]) -> Dialer:
        """Return one with secrets, certificates and credentials of its own; `wall` gives Unix time in seconds."""
        secrets = Secrets()
        return cls(Certificates(secrets), Credentials(secrets, wall))

    async def dial(self, target: Target, host: str, port: int, *, seconds: float, principal: str | None) -> Dialled:
        """Connect, and log in as the gateway itself or, where the cluster is so declared, as this principal.

        None: do not log in, somebody else does it on this connection.
        """
        try:
            with trio.fail_after(seconds):
                channel = await self._connected(target, host, port, seconds)
                try:
                    lifetime = None
                    if principal is not None and target.authentication is not None:
                        lifetime = await self._logged_in(channel, target, principal)
                except BaseException:
                    channel.close()
                    raise
        except trio.TooSlowError:
            raise TimeoutError(f"no connection within {seconds:g} s") from None
        return Dialled(channel, lifetime)

    async def login(self, target: Target, principal: str) -> LogIn:
        """Return what logs in, with the credentials at hand already: to read those may take long.

        Raises NotLoggedIn where there are none to be had.
        """
        assert target.authentication is not None
        login = Login(await self._credentials.client(target.name, target.authentication, principal))
        return partial(self._carry_out, login, target, principal)

    async def _carry_out(
        self, login: Login, target: Target, principal: str, ask: Callable[[Ask], Awaitable[bytes]]
    ) -> float | None:
        assert target.authentication is not None
        try:
            step: LoginStep = login.start()
            while not isinstance(step, LoggedIn):
                if isinstance(step, Ask):
                    step = login.answered(await ask(step))
                else:
                    step = login.resume(await trio.to_thread.run_sync(step.run))
        except UpstreamRefused as error:
            self._credentials.doubt(target.authentication, principal)
            raise NotLoggedIn(f"cluster {target.name}: {error}") from None
        return step.session_lifetime

    async def _connected(self, target: Target, host: str, port: int, seconds: float) -> Channel:
        context = None
        if target.tls is not None:
            context = await self._certificates.of_cluster(target.name, target.tls)
        sock = await connect(host, port, seconds=seconds)
        if context is None:
            return PlainChannel(sock)
        try:
            behind_tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        except BaseException:
            sock.close()
            raise
        try:
            await shake_hands(behind_tls)
        except ssl.SSLCertVerificationError as error:
            behind_tls.close()
            raise TlsUnusable(f"cluster {target.name}: {host}:{port}: {error.verify_message}") from error
        except BaseException:
            behind_tls.close()
            raise
        return TlsChannel(behind_tls)

    async def _logged_in(self, channel: Channel, target: Target, principal: str) -> float | None:
        log_in, numbers = await self.login(target, principal), itertools.count(1)

        async def ask(question: Ask) -> bytes:
            return await _answer(channel, question, next(numbers))

        try:
            return await log_in(ask)
        except EOFError:
            raise NotLoggedIn(
                f"cluster {target.name}: the broker closed the connection instead of answering the login: does its "
                "listener speak SASL, and with TLS just where the cluster has tls?"
            ) from None


async def _answer(channel: Channel, ask: Ask, number: int) -> bytes:
    """Ask one question and return the answer's body."""
    await send_all(channel, [request_frame(ask.api_key, ask.api_version, number, CLIENT_ID, ask.body)])
    head = await receive_exactly(channel, SIZE.size)
    size = SIZE.unpack(head)[0]
    if not RESPONSE_HEAD.size - SIZE.size <= size <= _LONGEST_ANSWER:
        raise UpstreamRefused(f"expected an answer to the login, found a frame of {size} bytes")
    frame = head + await receive_exactly(channel, size)
    try:
        if RESPONSE_HEAD.unpack_from(frame)[1] != number:
            raise Malformed("it belongs to another request")
        return frame[response_body(frame, 0, len(frame), ask.api_key, ask.api_version) :]
    except Malformed as error:
        raise UpstreamRefused(f"the answer to the login cannot be read: {error}") from None
