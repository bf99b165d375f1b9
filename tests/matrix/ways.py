"""The ways in: the gateway's listeners, as a user starts them, and the brokers' own for comparison."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from appliance.lab.ports import PortLeases
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.matrix.access import Access
from tests.matrix.results import Listening

_READY_SECONDS = 60.0
_NODES = 16
"""Ports that must be free behind the gateway's bootstrap port: node ids of the lab count from 1."""


class NoWayError(Exception):
    """The matrix cannot be run; the message says what to do."""


@dataclass(frozen=True)
class Way:
    """Where clients go in, and which ports tell what."""

    access: Access
    doors: frozenset[int]
    """Ports of the gateway's; empty where the clients go around it."""
    forbidden: frozenset[int]
    """Ports of brokers that no client may be seen at."""
    log: Path | None = None

    @property
    def complaints(self) -> list[str]:
        """What the gateway had to say of errors of its own."""
        if self.log is None:
            return []
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or "error of the gateway" in line]


def ports_of(brokers: Sequence[str]) -> frozenset[int]:
    """Return the ports of addresses."""
    return frozenset(int(each.rpartition(":")[2]) for each in brokers)


@asynccontextmanager
async def open_way(
    listener: Listening, brokers: Sequence[str], ports: PortLeases, directory: Path
) -> AsyncIterator[Way]:
    """Run the gateway before these brokers with such a listener. Raises NoWayError."""
    if listener != "plain":
        raise NoWayError("this gateway has no listener with TLS and SASL yet: say --listener plain")
    port = row_of_ports(ports)
    command = [sys.executable, "-m", "appliance", "serve", "--to", ",".join(brokers), "--listen", f"127.0.0.1:{port}"]
    async with _serving(command, directory / f"gateway-{listener}") as log:
        doors = frozenset(range(port, port + _NODES))
        yield Way(Access(f"127.0.0.1:{port}"), doors, ports_of(brokers), log)


@asynccontextmanager
async def _serving(command: Sequence[str], folder: Path) -> AsyncIterator[Path]:
    """Run `tidegate serve` until the block ends; yield its log."""
    folder.mkdir(parents=True)
    ready = folder / "ready"
    kept = ["--state", str(folder / "state"), "--ready-file", str(ready)]
    process = await start_guarded([*command, *kept], folder / "log")
    try:
        await _wait_ready(process, trio.Path(ready))
        yield process.log
    finally:
        with trio.CancelScope(shield=True):
            await process.end(_READY_SECONDS)


async def _wait_ready(process: GuardedProcess, ready: trio.Path) -> None:
    with trio.move_on_after(_READY_SECONDS):
        while process.returncode is None:
            if await ready.exists():
                return
            await trio.sleep(0.05)
    raise NoWayError(f"the gateway did not become ready; its log ends with:\n{last_lines(process.log)}")


def row_of_ports(ports: PortLeases) -> int:
    """Return the first of a row of free ports. Raises NoWayError."""
    for _ in range(100):
        first = ports.take()
        if all(_free(port) for port in range(first + 1, first + _NODES)):
            return first
    raise NoWayError(f"expected a row of {_NODES} free ports, found none")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def new_password(file: Path) -> Path:
    """Write a new password to a file that only its user can read."""
    file.touch(mode=0o600)
    file.write_text(secrets.token_urlsafe(18), encoding="utf-8")
    return file
