"""Bytes in and out of non-blocking sockets, straight.

trio's own sockets ask the scheduler at every call; on the data path a call that succeeds at once does not need to. So
these functions try first and wait only on EAGAIN; whoever loops over them must checkpoint now and then (`pair` does).
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence

import trio

from appliance.wire.walk import Buffer

_IOV_MAX = 512
"""Well below the kernel's 1024 pieces per call."""
_LINGER_0 = struct.pack("ii", 1, 0)


def tune(sock: socket.socket) -> None:
    """Make a connection's socket fit for the data path."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def receive_nowait(sock: socket.socket, into: memoryview) -> int | None:
    """Read what is there; 0 at the end of the stream, None where nothing is there yet. Raises OSError."""
    try:
        return sock.recv_into(into)
    except (BlockingIOError, InterruptedError):
        return None


def send_nowait(sock: socket.socket, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
    """Send what the peer takes at once, in one call; return what is left. Raises OSError."""
    try:
        if len(pieces) == 1:
            sent = sock.send(pieces[0])
            if sent == len(pieces[0]):
                return ()
        else:
            sent = sock.sendmsg(pieces[:_IOV_MAX])
    except (BlockingIOError, InterruptedError):
        return pieces
    left = list(pieces)
    while left and sent >= len(left[0]):
        sent -= len(left.pop(0))
    if sent:
        left[0] = memoryview(left[0])[sent:]
    return left


async def connect(host: str, port: int, *, seconds: float) -> socket.socket:
    """Open a connection. Raises OSError (TimeoutError after `seconds`)."""
    family = _family_of(host)
    with trio.move_on_after(seconds) as scope:
        sock = await (_connect_by_name(host, port) if family is None else _connect_straight(family, host, port))
    if scope.cancelled_caught:
        raise TimeoutError(f"no connection within {seconds:g} s")
    tune(sock)
    return sock


def _family_of(host: str) -> socket.AddressFamily | None:
    """Return the family of an address; None for a name."""
    try:
        return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return None


async def _connect_by_name(host: str, port: int) -> socket.socket:
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        raise _reason(error) from error
    return _plain(stream.socket)


async def _connect_straight(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """Connect to an address: with one there is nothing to look up and no race to hold, which is most of what trio does
    for a connection, and after a failover a thousand clients want one at once."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex((host, port))
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: OSError) -> OSError:
    """Return why the last of a host's addresses failed: trio's own words say only that all did."""
    attempts = error.__cause__
    while isinstance(attempts, BaseExceptionGroup):
        attempts = attempts.exceptions[-1]
    if isinstance(attempts, OSError) and attempts.errno is not None:
        return OSError(attempts.errno, os.strerror(attempts.errno))
    return error


def _plain(sock: trio.socket.SocketType) -> socket.socket:
    """Take the socket out of trio's wrapper."""
    return socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())


def accepted(sock: trio.socket.SocketType) -> socket.socket:
    """Take an accepted connection out of trio's wrapper and make it fit for the data path. Raises OSError."""
    plain = _plain(sock)
    tune(plain)
    return plain


def reset(sock: socket.socket) -> None:
    """Close with a TCP reset instead of an orderly end."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    finally:
        sock.close()
