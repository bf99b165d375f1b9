"""A worker as Linux knows it: started by exec, waited for, and never left behind.

`subprocess` from the main thread, and not `trio.Process`, which starts children in a thread of trio's: the signal that
tells a child of its parent's death (PR_SET_PDEATHSIG) comes when the *thread* that started it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import trio

COMMAND = (sys.executable, "-m", "appliance.fleet.worker")
_PR_SET_PDEATHSIG = 1
_GRACE = 5
"""Seconds between the supervisor's death and the end of a worker that does not get to its own."""


class WorkerProcess:
    """A child of this process; whoever starts one waits for its end. To be made in the main thread."""

    def __init__(self, command: Sequence[str], inherited: int) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - the command is our own
            command, stdin=subprocess.DEVNULL, pass_fds=[inherited]
        )
        self._pidfd = os.pidfd_open(self._child.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    async def wait(self) -> int:
        """Wait for its end; return its exit status, -n for signal n."""
        while self._child.poll() is None:
            await trio.lowlevel.wait_readable(self._pidfd)
        return self._child.returncode

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    async def bury(self) -> int:
        """End it if it still runs, let go of it and return its exit status."""
        self.kill()
        with trio.CancelScope(shield=True):  # the kernel ends a killed process: this wait is short
            status = await self.wait()
        os.close(self._pidfd)
        return status


def in_words(status: int) -> str:
    """Say how a process ended."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def end_with(supervisor: int) -> bool:
    """In a worker: make sure that it does not outlive its supervisor for long; False where that is dead already.

    A worker ends by itself when its link breaks. This is for one that cannot: the kernel's alarm needs nobody's help.
    """
    signal.signal(signal.SIGUSR2, lambda *_: signal.alarm(_GRACE))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2)
    return os.getppid() == supervisor
