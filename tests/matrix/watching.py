"""Which ports a client's processes are seen connected to."""

from __future__ import annotations

import psutil
import trio

SAMPLE_SECONDS = 0.1


class Watch:
    """Looks at the sockets of processes and of all below them, and keeps every port that it ever saw."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        """At the other ends of TCP connections; one that was only being tried counts too."""
        self._roots: dict[int, psutil.Process] = {}

    def add(self, pid: int) -> None:
        """Begin to look at a process. One that has ended already is no error."""
        try:
            self._roots[pid] = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return

    def remove(self, pid: int) -> None:
        """Look no more."""
        self._roots.pop(pid, None)

    def look(self) -> None:
        """Look once."""
        for root in list(self._roots.values()):
            try:
                for process in (root, *root.children(recursive=True)):
                    self.ports |= {each.raddr.port for each in process.net_connections(kind="tcp") if each.raddr}
            except psutil.Error:
                continue  # it has ended

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await trio.sleep(SAMPLE_SECONDS)
