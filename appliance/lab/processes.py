"""A child process under a guardian, seen from trio."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

_GUARDIAN = Path(__file__).with_name("guardian.py")
_TAIL_BYTES = 64 * 1024


class GuardedProcess:
    """One running command whose output goes to a log. It ends with this process, however this process ends.

    Made by `start_guarded`. Whoever holds it calls `aclose` when done; all methods may be called after its end.
    """

    def __init__(self, guardian: trio.Process, log: Path) -> None:
        self._guardian = guardian
        self.log = log

    @property
    def returncode(self) -> int | None:
        """The command's exit status (128 + n for signal n), None while it runs."""
        return self._guardian.returncode

    async def send_signal(self, number: signal.Signals) -> None:
        """Deliver a signal to the command; nothing happens where it has ended."""
        assert self._guardian.stdin is not None
        try:
            await self._guardian.stdin.send_all(bytes([number]))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self._guardian.wait()

    async def wait(self) -> int:
        """Wait until the command has ended; return its exit status."""
        return await self._guardian.wait()

    async def end(self, patience: float) -> bool:
        """Ask the command to end (SIGTERM) and kill it after `patience` seconds. Whether it ended by itself."""
        await self.send_signal(signal.SIGTERM)
        with trio.move_on_after(patience):
            await self.wait()
            return True
        await self.aclose()
        return False

    async def aclose(self) -> None:
        """Kill the command, paused or not, and wait for its end."""
        assert self._guardian.stdin is not None
        with trio.CancelScope(shield=True):  # the kernel ends a killed process: this wait is short
            await self._guardian.stdin.aclose()
            await self._guardian.wait()


async def start_guarded(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> GuardedProcess:
    """Start a command; its output is appended to `log`. Raises OSError where the log cannot be written."""
    with log.open("ab") as output:
        guardian = await trio.lowlevel.open_process(
            [sys.executable, "-I", "-S", str(_GUARDIAN), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # away from the terminal: its Ctrl-C and hang-up are for the parent
        )
    return GuardedProcess(guardian, log)


def last_lines(log: Path, count: int = 12) -> str:
    """Return the last lines of a log, for an error message; empty where there are none.

    Frames of Java stack traces are left out: a dozen of them would hide the line that says what went wrong.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    telling = [line for line in lines if line.strip() and not line.startswith("\tat ")]
    return "\n".join(telling[-count:])
