"""Replication between two clusters of a lab: what it can do, and the kind that is a process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from appliance.lab.canary import ensure_canary_topic, wait_canary
from appliance.lab.cluster import Cluster
from appliance.lab.errors import BrokerFailed
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded

READY = 120.0
"""Seconds for the first record to come through. MirrorMaker takes 8 to 15 on an idle machine."""
PATIENCE = 10.0
"""Seconds for a graceful end."""


class Replication(ABC):
    """One direction of copying. Stopped when made; every action is idempotent."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it runs now; false also when it ended by itself. Must not block."""

    @abstractmethod
    async def start(self) -> None:
        """Start, and return when a record has really come through. Raises LabError."""

    @abstractmethod
    async def stop(self, *, kill: bool) -> None:
        """End gracefully, what was read being written first, or at once. A later start goes on where this one stood."""


class ProcessReplication(Replication):
    """Replication by a process of this machine; `name` is what messages call it, `log` is appended to at each start."""

    def __init__(self, name: str, source: Cluster, target: Cluster, command: Sequence[str], log: Path) -> None:
        self._name = name
        self._source, self._target = source, target
        self._command = command
        self._log = log
        self._log.write_bytes(b"")  # what an earlier lab left
        self._process: GuardedProcess | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        if self.running:
            return
        await ensure_canary_topic(self._source)
        self._process = await start_guarded(self._command, self._log)
        await wait_canary(self._source.bootstrap, self._target.bootstrap, self._fallen, READY)

    async def stop(self, *, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            await self._process.aclose()
        else:
            await self._process.end(PATIENCE)

    def _fallen(self) -> str | None:
        if self.running:
            return None
        return f"{self._name}: expected it to run, found that it ended; its log {self._log} ends with:\n{last_lines(self._log)}"
