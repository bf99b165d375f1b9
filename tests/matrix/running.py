"""A client that runs: its events as they come, and its end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from pydantic import ValidationError

from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.matrix.driver import PROGRAMS, Driver
from tests.matrix.tasks import Event, Task
from tests.matrix.watching import Watch

ROOT = PROGRAMS.parents[2]
PATIENCE = 60.0
"""Seconds for one step of a client; far more than any takes, as machines may be busy."""
_LOOK = 0.05
_END_SECONDS = 90.0
"""Kafka Connect alone gives its web server a minute to stop."""

_REDIRECT = 'exec <"$0" >"$1"; shift; exec "$@"'
"""The guardian sends output and errors to one log; events must not be cut by what a library logs between them."""


class CheckFailedError(Exception):
    """The client did not do what was asked; the message is fit for the table."""


class Running:
    """A client at work. What it told can be read while it runs and after its end; each line is read once."""

    def __init__(self, driver: Driver, process: GuardedProcess, output: Path) -> None:
        self._driver = driver
        self.process = process
        self._output = output
        self._read = 0
        self._rest = ""
        self._events: list[Event] = []

    @property
    def events(self) -> list[Event]:
        """All that it has told so far, in order. Raises CheckFailedError on a line that is none of the protocol's."""
        with self._output.open("r", encoding="utf-8", errors="replace", newline="\n") as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            try:
                event = self._driver.parse(line)
            except ValidationError as error:
                raise CheckFailedError(f"a line that nobody understands: {line[:200]}") from error
            if event is not None:
                self._events.append(event)
        return self._events

    def values(self, kind: str) -> list[str]:
        """Return the values of its events of one kind."""
        return [event.value for event in self.events if event.event == kind]

    async def wait_values(self, kind: str, count: int) -> None:
        """Wait until it has told so many events of one kind. Raises CheckFailedError."""
        with trio.move_on_after(PATIENCE):
            while len(self.values(kind)) < count:
                self.expect_alive()
                await trio.sleep(_LOOK)
            return
        found = len(self.values(kind))
        raise CheckFailedError(f"{count} {kind} expected, {found} seen in {PATIENCE:g} s: {self.last_words()}")

    def expect_alive(self) -> None:
        """Raise CheckFailedError where it has ended."""
        if self.process.returncode is not None:
            raise CheckFailedError(f"it ended with status {self.process.returncode}: {self.last_words()}")

    async def finish(self) -> None:
        """Wait for its end by itself. Raises CheckFailedError unless it ends well and in time."""
        with trio.move_on_after(PATIENCE):
            if await self.process.wait() != 0:
                raise CheckFailedError(f"status {self.process.returncode}: {self.last_words()}")
            return
        raise CheckFailedError(f"not done in {PATIENCE:g} s: {self.last_words()}")

    async def stop(self) -> None:
        """Ask it to leave and wait until it has. Raises CheckFailedError where it must be killed."""
        if not await self.process.end(_END_SECONDS):
            raise CheckFailedError(f"it did not leave within {_END_SECONDS:g} s of SIGTERM")

    def last_words(self) -> str:
        """Return what it said last of errors, in one line."""
        told = [event.text for event in self.events if event.event in {"error", "failed"} and event.text]
        if told:
            return told[-1][:300]
        lines = last_lines(self.process.log, 3).splitlines()
        return " / ".join(line.strip() for line in lines)[-300:] or "it said nothing"


class Stage:
    """Where a driver's processes run: a folder, and the eye on their sockets."""

    def __init__(self, driver: Driver, folder: Path, watch: Watch) -> None:
        self.driver = driver
        self.folder = folder
        self.watch = watch
        self._started = 0

    @asynccontextmanager
    async def running(self, task: Task) -> AsyncIterator[Running]:
        """Start a client on a task; it is killed where the block ends before it."""
        self._started += 1
        folder = self.folder / f"{self._started:02}-{task.verb}"
        folder.mkdir(parents=True)
        command = self.driver.command(task, folder)
        output = folder / "events"
        output.touch()
        argv = ["sh", "-c", _REDIRECT, str(command.stdin or "/dev/null"), str(output), *command.argv]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **command.environment}
        process = await start_guarded(argv, folder / "log", environment)
        pid = process._guardian.pid
        self.watch.add(pid)
        try:
            yield Running(self.driver, process, output)
        finally:
            await process.aclose()
            self.watch.remove(pid)

    async def done(self, task: Task) -> Running:
        """Run a client on a task to its end. Raises CheckFailedError."""
        async with self.running(task) as client:
            await client.finish()
            return client


def expect(found: Iterable[str], wanted: Iterable[str], what: str) -> None:
    """Raise CheckFailedError unless these are the same values, each as often, in any order."""
    rest, missing = list(found), []
    for value in wanted:
        if value in rest:
            rest.remove(value)
        else:
            missing.append(value)
    if missing or rest:
        raise CheckFailedError(
            f"{what}: {len(missing)} missing ({', '.join(missing[:3])}), {len(rest)} too many ({', '.join(rest[:3])})"
        )
