"""Ports that stay ours: chosen outside the range of outgoing connections, and leased across processes.

A lab's broker goes away and comes back on the same port. A port from `bind(0)` would not survive that: it lies in
the range from which the kernel serves outgoing connections, so that another connection can take it in between;
worse, a client that retries such a port on the loopback can connect *to itself* and hold it. So ports come from
below that range, and each is leased by a locked file, so that two labs that start at once never choose the same
one.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from types import TracebackType

from appliance.lab.errors import LabError

_LOWEST = 15000
"""Above the ports that people give to services by hand (9092, 8080, ...)."""
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 500


def _candidates() -> range:
    try:
        low = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 32768  # Linux's default; macOS begins at 49152
    # An administrator can widen the range down to 1024; then nothing lies below it, and the lease alone must do.
    return range(_LOWEST, low) if low > _LOWEST + 1000 else range(_LOWEST, 32768)


class PortLeases:
    """Hand out free ports of 127.0.0.1 and hold them until closed. Use as a context manager.

    A lease binds nothing: it is a promise among labs of this machine's user, kept by `flock` and so never left behind.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"tidegate-ports-{os.getuid()}"
        self._held: list[int] = []

    def __enter__(self) -> PortLeases:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._held:
            os.close(self._held.pop())

    def take(self) -> int:
        """Return a port that nobody listens on and no other lab has leased. Raises LabError where none is found."""
        candidates = _candidates()
        for _ in range(_TRIES):
            port = random.choice(candidates)
            if self._lease(port):
                return port
        raise LabError(
            f"expected a free port between {candidates[0]} and {candidates[-1]}; found none in {_TRIES} tries"
        )

    def _lease(self, port: int) -> bool:
        held = os.open(self._folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as brokers do: TIME_WAIT does not count
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(held)
            return False
        self._held.append(held)
        return True
