"""Messages between a supervisor and a worker: length-prefixed, over a Unix stream socket, with descriptors beside them.

    frame    u32 length of the payload, u8 number of descriptors (0 or 1), payload

A descriptor goes out with the first byte of its frame (SCM_RIGHTS), and the kernel keeps the order of both.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque

import trio

from appliance.fleet.errors import LinkBroken

_HEAD = struct.Struct(">IB")
_MOST = 64 * 1024 * 1024
"""Bytes of a payload: thousands of virtual clusters fit."""
_READ = 65536
_ROOM_FOR_DESCRIPTORS = socket.CMSG_SPACE(16 * array.array("i").itemsize)


def link_pair() -> tuple[Link, socket.socket]:
    """Return a link, and the other end's socket, which is inherited by a worker."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Link(here), there


class Link:
    """One end. One task sends and one receives; a send that is cancelled half-way breaks the link."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = trio.socket.from_stdlib_socket(sock)
        self._held = bytearray()
        self._descriptors: deque[int] = deque()

    async def send(self, payload: bytes, descriptor: int | None = None) -> None:
        """Send one message. Raises OSError where the other side is gone."""
        beside = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        left = memoryview(_HEAD.pack(len(payload), len(beside)) + payload)
        while left:
            left = left[await self._sock.sendmsg([left], beside) :]
            beside = []

    async def receive(self) -> tuple[bytes, int | None] | None:
        """Return the next message and the descriptor that came with it, which is the caller's now; None: the other side
        is gone. Raises LinkBroken."""
        if not await self._hold(_HEAD.size):
            return None
        length, descriptors = _HEAD.unpack_from(self._held)
        if length > _MOST or descriptors > 1:
            raise LinkBroken(f"expected a message of at most {_MOST} bytes, found one of {length}")
        if not await self._hold(_HEAD.size + length):
            return None
        payload = bytes(memoryview(self._held)[_HEAD.size : _HEAD.size + length])
        del self._held[: _HEAD.size + length]
        if descriptors and not self._descriptors:
            raise LinkBroken("expected a descriptor with the message, found none")
        return payload, self._descriptors.popleft() if descriptors else None

    def close(self) -> None:
        """Let go of the socket, and of what was sent and never received."""
        self._sock.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    async def _hold(self, size: int) -> bool:
        while len(self._held) < size:
            try:
                some, beside, _, _ = await self._sock.recvmsg(_READ, _ROOM_FOR_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:  # it ended with something unread
                return False
            for level, kind, data in beside:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array.array("i")
                    numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                    self._descriptors.extend(numbers)
            if not some:
                return False
            self._held += some
        return True
