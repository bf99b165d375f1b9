"""A connected, non-blocking socket as the data path sees it: bytes in, bytes out, nothing waited for."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from appliance.gateway.sockets import receive_nowait, send_nowait
from appliance.wire.walk import Buffer


class Channel(Protocol):
    """One side of a connection pair. Every method raises OSError for a broken connection."""

    def fileno(self) -> int:
        """Return the descriptor that says when to try again."""

    def receive(self, into: memoryview) -> int | None:
        """Read what is there; 0 at the end of the stream, None where nothing is there yet."""

    def more(self) -> bool:
        """Return whether bytes are in hand of which the descriptor will not tell."""

    def send(self, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
        """Send what the peer takes at once; return what is left."""


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
