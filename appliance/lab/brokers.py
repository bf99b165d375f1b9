"""One broker of a lab: what a user sees of it, and what a backend must be able to do with it."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.lab.errors import BrokerFailed
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded

State = Literal["running", "stopped", "paused"]

_PATIENCE = 10.0
"""Seconds for a graceful end. A broker whose controllers are gone would wait for them for five minutes."""


@dataclass(frozen=True)
class Broker:
    """What a broker is at one moment. `stopped` also when it ended by itself; `address` is `127.0.0.1:port`."""

    node_id: int
    address: str
    state: State


class Node(ABC):
    """A broker that can be acted on. It keeps its id, address and (where it has any) data over a stop and a start."""

    def __init__(self, node_id: int, address: str) -> None:
        self.node_id = node_id
        self.address = address

    @property
    @abstractmethod
    def state(self) -> State:
        """What it is now. Must not block."""

    @abstractmethod
    async def launch(self) -> None:
        """Begin to run, without waiting for readiness. Called only while `stopped`. Raises LabError."""

    @abstractmethod
    async def kill(self) -> None:
        """End at once, as by a power failure; paused or not. Must succeed on a stopped node, and when cancelled."""

    @abstractmethod
    async def stop(self) -> None:
        """End gracefully, but in bounded time: what has not ended by then is killed."""

    @abstractmethod
    async def pause(self) -> None:
        """Freeze: connections stay open, nothing answers."""

    @abstractmethod
    async def resume(self) -> None:
        """Go on from a pause."""

    @abstractmethod
    def autopsy(self) -> str:
        """Its last words and where the rest lies, for an error message."""


class ProcessNode(Node):
    """A broker that is a process of this machine. `log` is appended to at each start."""

    def __init__(
        self,
        node_id: int,
        address: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(node_id, address)
        self._command = command
        self._log = log
        self._environment = environment
        self._process: GuardedProcess | None = None
        self._paused = False

    @property
    def state(self) -> State:
        if self._process is None or self._process.returncode is not None:
            return "stopped"
        return "paused" if self._paused else "running"

    async def launch(self) -> None:
        try:
            self._process = await start_guarded(self._command, self._log, self._environment)
        except OSError as error:
            raise BrokerFailed(
                f"broker {self.node_id}: expected to start {self._command[0]}; found: {error}"
            ) from error
        self._paused = False

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.aclose()

    async def stop(self) -> None:
        if self._process is not None:
            await self.resume()  # a frozen process does not hear SIGTERM
            await self._process.end(_PATIENCE)

    async def pause(self) -> None:
        if self.state == "running":
            assert self._process is not None
            await self._process.send_signal(signal.SIGSTOP)
            self._paused = True

    async def resume(self) -> None:
        if self.state == "paused":
            assert self._process is not None
            await self._process.send_signal(signal.SIGCONT)
            self._paused = False

    def autopsy(self) -> str:
        return f"its log {self._log} ends with:\n{last_lines(self._log)}"
