"""Profiles of the relay and the gateway at work, by py-spy where it is installed.

Sampling costs the watched process time, so figures of a run with profiles are no figures; the page is not written then.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from appliance.lab.processes import start_guarded
from tests.bench.figures import Side
from tests.bench.sides import BenchError

_RATE = "400"
_PATIENCE = 20.0
_WAITING = ("EpollIOManager.get_events ",)
"""py-spy does not always see that a process waits in epoll; time in there is no work."""


class Profiler:
    """Writes one file of collapsed stacks for each side, work and round into a directory."""

    def __init__(self, directory: Path) -> None:
        """Raise BenchError where there is no py-spy."""
        found = shutil.which("py-spy")
        if found is None:
            raise BenchError("--profile needs py-spy on the PATH: pip install py-spy (it need not be in .venv)")
        self._py_spy = found
        self._directory = directory
        self._files: dict[tuple[Side, str], list[Path]] = {}
        directory.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def watching(self, side: Side, work: str, pid: int) -> AsyncIterator[None]:
        """Sample a process for the length of the block; native frames are left out."""
        files = self._files.setdefault((side, work), [])
        name = re.sub(r"[ ,]+", "-", f"{side} {work} {len(files) + 1}")
        file = self._directory / f"{name}.txt"
        command = [self._py_spy, "record", "--pid", str(pid), "--rate", _RATE, "--format", "raw", "--duration", "3600"]
        process = await start_guarded([*command, "--output", str(file)], self._directory / "py-spy.log")
        try:
            yield
            await process.send_signal(signal.SIGINT)
            with trio.move_on_after(_PATIENCE):
                await process.wait()
        finally:
            await process.aclose()
        files.append(file)

    def summaries(self) -> Iterable[tuple[Side, str, list[tuple[float, str]]]]:
        """Return for each side and work the functions with the most time of their own, as shares."""
        for (side, work), files in self._files.items():
            yield (
                side,
                work,
                own_time(line for file in files if file.exists() for line in file.read_text().splitlines()),
            )


def own_time(lines: Iterable[str]) -> list[tuple[float, str]]:
    """Return (share, function) by time of its own, most first, from collapsed stacks: `a;b;c COUNT`.

    Waiting is left out, so that the shares are those of the work.
    """
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frame = stack.rpartition(";")[2].rpartition(":")[0] or stack.rpartition(";")[2]
        if frame.startswith(_WAITING):
            continue
        counts[frame + ")" if "(" in frame and not frame.endswith(")") else frame] += int(count)
    total = counts.total()
    return [(count / total, frame) for frame, count in counts.most_common(15)]
