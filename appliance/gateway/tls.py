"""TLS on a non-blocking socket: the handshake in trio, the traffic as a Channel."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import trio

from appliance.wire.walk import Buffer

_JOINED = 64 * 1024
"""Pieces that are together smaller are sent as one: each send is at least one TLS record, with 22 bytes around it and
a cipher call of its own."""


async def shake_hands(sock: ssl.SSLSocket) -> None:
    """Carry out the handshake. Raises OSError; ssl.SSLError, which is one, says what went wrong."""
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(sock)
        else:
            return


class TlsChannel:
    """One side of a connection pair, behind TLS; the handshake is done."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._ended = False

    def fileno(self) -> int:
        """See Channel."""
        return self._sock.fileno()

    def receive(self, into: memoryview) -> int | None:
        """See Channel. Fills `into` as far as records have come: each read brings one record of 16 KiB at the most."""
        count = 0
        while count < len(into) and not self._ended:
            try:
                read = self._sock.recv_into(into[count:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if read:
                count += read
            else:
                self._ended = True
        if count:
            return count
        return 0 if self._ended else None

    def more(self) -> bool:
        """See Channel. What OpenSSL has decrypted, or the end that it has read, the descriptor does not show."""
        return self._ended or self._sock.pending() > 0

    def send(self, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
        """See Channel. What is left begins with what OpenSSL was last given, as it demands."""
        if len(pieces) > 1 and sum(map(len, pieces)) <= _JOINED:
            pieces = [b"".join(pieces)]
        for position, piece in enumerate(pieces):
            view = memoryview(piece)
            try:
                while view:
                    view = view[self._sock.send(view) :]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return [view, *pieces[position + 1 :]]
        return ()

    def close(self) -> None:
        """See Channel. Without a close_notify: whoever closes here has nothing more to say."""
        self._sock.close()
