"""Clients as processes, and which ports they are seen connected to."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import trio

SAMPLE_SECONDS = 0.05
PATIENCE = 90.0


class ClientProcess:
    """A client that runs, writes what it does to a file, line by line, and is watched."""

    def __init__(self, process: trio.Process, output: Path) -> None:
        self.process = process
        self.output = output
        self.ports: set[int] = set()
        """All ports at which the other ends of its TCP connections were seen."""
        self._psutil = psutil.Process(process.pid)

    def lines(self) -> list[str]:
        """Return what it has told so far."""
        return self.output.read_text(encoding="utf-8", errors="replace").splitlines()

    def telling(self, mark: str) -> list[str]:
        """Return those of its lines that have this in them."""
        return [line for line in self.lines() if mark in line]

    async def progress(self, *marks: str, by: int = 10) -> None:
        """Wait until each of these marks stands in so many more lines than now."""
        goals = {mark: len(self.telling(mark)) + by for mark in marks}
        with trio.move_on_after(PATIENCE):
            while any(len(self.telling(mark)) < goal for mark, goal in goals.items()):
                assert self.process.returncode is None, f"it ended:\n{self.lines()[-20:]}"
                await trio.sleep(0.1)
            return
        raise AssertionError(f"no progress, expected {goals}; it said last:\n{self.lines()[-20:]}")

    def look(self) -> None:
        """Note where it is connected to now; a connection that is only being tried counts too."""
        self.ports |= {each.raddr.port for each in self._psutil.net_connections(kind="tcp") if each.raddr}


@asynccontextmanager
async def client_processes(
    commands: Mapping[str, Sequence[str]], folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[dict[str, ClientProcess]]:
    """Run the commands and watch their sockets for the length of a block; they are asked to end with it."""
    clients: dict[str, ClientProcess] = {}
    try:
        for name, command in commands.items():
            output = folder / f"{name}.out"
            with output.open("wb") as sink:
                process = await trio.lowlevel.open_process(
                    list(command), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment
                )
            clients[name] = ClientProcess(process, output)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, clients)
            yield clients
            for client in clients.values():
                client.process.terminate()
            for client in clients.values():
                with trio.move_on_after(PATIENCE):
                    await client.process.wait()
            nursery.cancel_scope.cancel()
    finally:
        for client in clients.values():
            if client.process.returncode is None:
                client.process.kill()


async def _watch(clients: Mapping[str, ClientProcess]) -> None:
    while True:
        for client in clients.values():
            try:
                client.look()
            except psutil.Error:
                continue  # it has ended
        await trio.sleep(SAMPLE_SECONDS)
