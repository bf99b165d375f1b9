"""The gateway as a user runs it: a process of its own, started with files and steered through its API.

It is kept by the lab's guardian, so that it ends with the drill however the drill ends, by kill -9 too.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
import yaml

from appliance.drills.run_directory import RunDirectory
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from appliance.remote.client import ControlApi
from appliance.remote.readiness import Readiness
from appliance.resources.kinds import Resource

READY_SECONDS = 60.0
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.05


class GatewayFailedError(Exception):
    """The gateway did not become ready, or ended while it was needed; has the last lines of its log."""


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that serves."""

    api: ControlApi
    process: GuardedProcess

    @property
    def alive(self) -> bool:
        """Return whether its process runs."""
        return self.process.returncode is None


@asynccontextmanager
async def open_gateway(
    resources: Sequence[Resource], directory: RunDirectory, *, workers: int = 1
) -> AsyncIterator[RunningGateway]:
    """Run a gateway with these resources, in so many processes, until the block ends. Raises GatewayFailedError.

    Its declarations, state and log are kept in the run's directory.
    """
    work = directory.work
    declared, token, ready = work / "resources.yaml", work / "token", work / "ready"
    documents = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in resources]
    declared.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    secret = secrets.token_urlsafe(24)
    token.touch(mode=0o600)
    token.write_text(secret, encoding="utf-8")
    command = [sys.executable, "-m", "appliance", "serve", "-f", str(declared), "--api", "127.0.0.1:0"]
    command += ["--api-token-file", str(token), "--state", str(work / "state"), "--ready-file", str(ready)]
    command += ["--workers", str(workers)]
    process = await start_guarded(command, directory.logs / "gateway.log")
    try:
        address = await _wait_ready(process, trio.Path(ready))
        async with ControlApi(address, token=secret) as api:
            yield RunningGateway(api, process)
    finally:
        with trio.CancelScope(shield=True):
            await process.end(_END_SECONDS)
        token.unlink(missing_ok=True)


async def _wait_ready(process: GuardedProcess, ready: trio.Path) -> str:
    """Return the API's address once the gateway serves."""
    with trio.move_on_after(READY_SECONDS):
        while not await ready.exists():
            if process.returncode is not None:
                ended = f"the gateway ended with status {process.returncode} before it was ready"
                raise GatewayFailedError(f"{ended}:\n{last_lines(process.log)}")
            await trio.sleep(_LOOK_SECONDS)
        address = Readiness.model_validate_json(await ready.read_text(encoding="utf-8")).api
        assert address is not None, "an API was asked for"
        return address
    late = f"the gateway was not ready within {READY_SECONDS:g} s"
    raise GatewayFailedError(f"{late}:\n{last_lines(process.log)}")
