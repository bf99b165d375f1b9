"""The clients' side of a measurement: one job, one process, one answer."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.bench.sides import BenchError, environment

_JOB_SECONDS = 600.0


class Clients:
    """Starts `tests.bench.load` for each job; their log and answers are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._jobs = 0

    async def do(self, **job: Any) -> dict[str, Any]:
        """Do a job and return its answer. Raises BenchError."""
        async with self.doing(job) as found:
            return found

    @asynccontextmanager
    async def doing(self, job: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Enter the block when the answer is there; the clients' process lives as long as the block."""
        self._jobs += 1
        result = self._directory / f"load-{self._jobs}.json"
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(job), str(result)]
        process = await start_guarded(command, self._directory / "load.log", environment())
        try:
            yield await self._answer(process, result)
        finally:
            await process.aclose()

    async def _answer(self, process: GuardedProcess, result: Path) -> dict[str, Any]:
        file = trio.Path(result)
        with trio.move_on_after(_JOB_SECONDS):
            while not await file.exists():
                if process.returncode is not None and not await file.exists():
                    raise BenchError(f"the clients' process ended early; its log ends with:\n{last_lines(process.log)}")
                await trio.sleep(0.05)
            answer: dict[str, Any] = json.loads(await file.read_text())
            if "error" in answer:
                raise BenchError(f"the clients could not do their work: {answer['error']}")
            return answer
        raise BenchError(f"the clients' work did not end within {_JOB_SECONDS:g} s; see {process.log}")
