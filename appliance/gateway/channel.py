"""A connected, non-blocking socket as the data path sees it: bytes in, bytes out, nothing waited for.

The waiting, where a coroutine wants it (a login, the gateway's own client), is in `send_all` and `receive_exactly`.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

import trio

from appliance.gateway.sockets import receive_nowait, send_nowait
from appliance.wire.walk import Buffer


class Channel(Protocol):
    """One side of a connection pair. Every method but `close` raises OSError for a broken connection."""

    def fileno(self) -> int:
        """Return the descriptor that says when to try again."""

    def receive(self, into: memoryview) -> int | None:
        """Read what is there; 0 at the end of the stream, None where nothing is there yet."""

    def more(self) -> bool:
        """Return whether bytes are in hand of which the descriptor will not tell."""

    def send(self, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
        """Send what the peer takes at once; return what is left, the same object where nothing went."""

    def close(self) -> None:
        """Close the connection."""


class PlainChannel:
    """TCP without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """See Channel."""
        return self._sock.fileno()

    def receive(self, into: memoryview) -> int | None:
        """See Channel."""
        return receive_nowait(self._sock, into)

    def more(self) -> bool:
        """See Channel."""
        return False

    def send(self, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
        """See Channel."""
        return send_nowait(self._sock, pieces)

    def close(self) -> None:
        """See Channel."""
        self._sock.close()


async def send_all(channel: Channel, pieces: Sequence[Buffer]) -> None:
    """Send all pieces in order. Raises OSError."""
    while pieces:
        left = channel.send(pieces)
        if left:
            await trio.lowlevel.wait_writable(channel.fileno())
        pieces = left


async def receive_exactly(channel: Channel, size: int) -> bytes:
    """Read so many bytes. Raises OSError, EOFError where the stream ends before."""
    buffer = memoryview(bytearray(size))
    have = 0
    while have < size:
        count = channel.receive(buffer[have:])
        if count is None:
            await trio.lowlevel.wait_readable(channel.fileno())
        elif not count:
            raise EOFError
        else:
            have += count
    return bytes(buffer)
