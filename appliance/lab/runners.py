"""Something of a lab that runs, can be hurt and can be started again: a broker or a replicator, whatever carries it."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from appliance.lab.errors import BrokerFailed
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded

State = Literal["running", "stopped", "paused"]

PATIENCE = 10
"""Seconds for a graceful end. A broker whose controllers are gone would wait for them for five minutes."""


class Runner(ABC):
    """One part of a lab. What it stores survives a stop and a start, where its kind stores anything.

    Every action but `launch` is idempotent: it does nothing where there is nothing to do.
    """

    @property
    @abstractmethod
    def state(self) -> State:
        """What it is now; `stopped` also where it ended by itself. Quick: it is asked between other things."""

    @abstractmethod
    async def launch(self) -> None:
        """Begin to run, without waiting for readiness. Called only while `stopped`. Raises LabError."""

    @abstractmethod
    async def kill(self) -> None:
        """End at once, as by a power failure, paused or not. Does its work under a shielded cancel scope too."""

    @abstractmethod
    async def stop(self) -> None:
        """End gracefully, paused or not; what has not ended after `PATIENCE` is killed."""

    @abstractmethod
    async def pause(self) -> None:
        """Freeze: connections stay open, nothing answers."""

    @abstractmethod
    async def resume(self) -> None:
        """Go on from a pause."""

    @abstractmethod
    def autopsy(self) -> str:
        """Its last words, and where the rest lies, for an error message."""


class ProcessRunner(Runner):
    """A process of this machine. Its output goes to `log`, which is emptied now and appended to at each start."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._log.write_bytes(b"")
        self._process: GuardedProcess | None = None
        self._paused = False

    @property
    def state(self) -> State:
        if self._process is None or self._process.returncode is not None:
            return "stopped"
        return "paused" if self._paused else "running"

    async def launch(self) -> None:
        try:
            self._process = await start_guarded(self._command, self._log)
        except OSError as error:
            raise BrokerFailed(f"expected to start {self._command[0]}; found: {error}") from error
        self._paused = False

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.aclose()

    async def stop(self) -> None:
        if self._process is not None:
            await self.resume()  # a frozen process does not hear SIGTERM
            await self._process.end(PATIENCE)

    async def pause(self) -> None:
        if self._process is not None and self.state == "running":
            await self._process.send_signal(signal.SIGSTOP)
            self._paused = True

    async def resume(self) -> None:
        if self._process is not None and self.state == "paused":
            await self._process.send_signal(signal.SIGCONT)
            self._paused = False

    def autopsy(self) -> str:
        return f"its log {self._log} ends with:\n{last_lines(self._log)}"
