"""Which host name a client asks for, read from its TLS greeting before the handshake begins.

The listener's own context, with its certificate and what it asks of clients, can only be chosen for a connection before
OpenSSL has begun with it: changing the context in OpenSSL's callback changes the certificate, but not whether a client
certificate is demanded. So the greeting is looked at and left in the socket, and OpenSSL itself reads the name from it.
"""

from __future__ import annotations

import socket
import ssl

import trio

from appliance.wire.errors import Malformed

_LONGEST = 16 * 1024 + 5
"""Bytes of one TLS record, in which a greeting fits."""
_TLS_HANDSHAKE = 0x16


async def asked_name(sock: socket.socket) -> str | None:
    """Return the host name (SNI) of the TLS greeting that stands at the beginning of the stream; None where it has
    none. Nothing is taken from the socket. Raises Malformed, OSError."""
    seen = 0
    try:
        while True:
            greeting = _peek(sock)
            if greeting is not None and len(greeting) > seen:
                seen = len(greeting)
                found = _read(greeting)
                if found is not None:
                    return found or None
            elif greeting == b"":
                raise Malformed("the connection ended before its TLS greeting")
            if seen >= _LONGEST:
                raise Malformed(f"expected a TLS greeting within {_LONGEST} bytes")
            # What has been seen stays in the socket and would wake us at once: wait for a byte more.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
            await trio.lowlevel.wait_readable(sock)
            if seen and len(_peek(sock) or b"") == seen:
                raise Malformed("the connection ended within its TLS greeting")
    finally:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _peek(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(_LONGEST, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return None


def _read(greeting: bytes) -> str | None:
    """Return the name, empty where there is none; None where more bytes are needed."""
    if greeting[0] != _TLS_HANDSHAKE:
        raise Malformed(f"expected a TLS greeting, found {greeting[:8]!r}: set security.protocol=SSL or SASL_SSL")
    names: list[str] = []

    def noted(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int:
        names.append(name or "")
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # enough is known: OpenSSL need not go on

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = noted
    incoming = ssl.MemoryBIO()
    incoming.write(greeting)
    reader = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    try:
        reader.do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as error:
        if not names:
            raise Malformed(f"expected a TLS greeting: {error.reason}") from None
    return names[0]
