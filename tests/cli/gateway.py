"""A gateway in a process of its own, as users start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.remote.readiness import Readiness

START_SECONDS = 60.0
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGATE_")}


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of a tidegate."""
    return [sys.executable, "-m", "appliance", *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tidegate to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={**CLEAN, **environment},
        check=False,
    )


class Served:
    """A gateway that is ready."""

    def __init__(self, process: subprocess.Popen[str], ready: Readiness, log: Path) -> None:
        self.process = process
        self.ready = ready
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def connection(self) -> list[str]:
        """Options that lead to its API."""
        return ["--api", str(self.ready.api), "--token-file", str(self.ready.token_file)]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


@contextmanager
def served(folder: Path, *arguments: str | Path, **environment: str) -> Iterator[Served]:
    """Run `tidegate serve` with a ready file until the block ends."""
    folder.mkdir(exist_ok=True)
    ready, log = folder / "ready.json", folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command("serve", "--ready-file", ready, *arguments), stdout=output, stderr=output, text=True,
            env={**CLEAN, "XDG_STATE_HOME": str(folder / "xdg"), **environment},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield Served(process, Readiness.model_validate_json(ready.read_bytes()), log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
