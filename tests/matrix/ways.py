"""The ways in: the gateway's listeners, as a user starts them, and the brokers' own for comparison."""

from __future__ import annotations

import secrets
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio
import yaml

from appliance.lab.ports import PortLeases
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.matrix.access import Access, Security
from tests.matrix.results import Listening

TIDEGATE = (sys.executable, "-m", "appliance")
_READY_SECONDS = 60.0
NODES = 16
"""Ports that must be free behind the gateway's bootstrap port: node ids of the lab count from 1."""


class NoWayError(Exception):
    """The matrix cannot be run; the message says what to do."""


@dataclass(frozen=True)
class Way:
    """Where clients go in, and which ports tell what."""

    access: Access
    brokers: str
    """The brokers' own addresses, comma-separated: nobody but the truth is told them."""
    doors: frozenset[int] = frozenset()
    """The gateway's ports; none where the clients go around it."""
    log: Path | None = None
    """The gateway's."""

    @property
    def forbidden(self) -> frozenset[int]:
        """Ports of brokers, which no client may be seen at; none where the clients go around the gateway."""
        ports = frozenset(int(each.rpartition(":")[2]) for each in self.brokers.split(","))
        return ports if self.doors else frozenset()

    @property
    def complaints(self) -> list[str]:
        """What the gateway had to say of errors of its own: of each kind the exception, and how often."""
        if self.log is None:
            return []
        kinds: Counter[str] = Counter()
        within = False
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Traceback"):
                within = True
            elif within and not line.startswith(" "):
                kinds[line[:200]] += 1
                within = False
        return [f"{kind} ({count} times)" for kind, count in kinds.most_common()]


@asynccontextmanager
async def open_way(
    listener: Listening, brokers: Sequence[str], ports: PortLeases, directory: Path
) -> AsyncIterator[Way]:
    """Run the gateway before these brokers with such a listener. Raises NoWayError."""
    folder = directory / f"gateway-{listener}"
    folder.mkdir(parents=True)
    port = row_of_ports(ports)
    bootstrap = f"127.0.0.1:{port}"
    if listener == "plain":
        security, what = None, ["--to", ",".join(brokers), "--listen", bootstrap]
    else:
        security = await _security(folder)
        declared = folder / "resources.yaml"
        declared.write_text(await _resources(brokers, bootstrap, security, folder), encoding="utf-8")
        what = ["-f", str(declared), "--api", "127.0.0.1:0"]
    async with serving([*TIDEGATE, "serve", *what], folder) as log:
        yield Way(Access(bootstrap, security), ",".join(brokers), frozenset(range(port, port + NODES)), log)


async def _security(folder: Path) -> Security:
    """Make certificates and a password as a user does who tries the gateway out. Raises NoWayError."""
    await _tidegate("certs", "dev", str(folder / "tls"))
    return Security(folder / "tls" / "ca.pem", "SCRAM-SHA-512", "matrix", new_password(folder / "password"))


async def _resources(brokers: Sequence[str], bootstrap: str, security: Security, folder: Path) -> str:
    """Return what a user would declare for one cluster behind TLS and SCRAM. Raises NoWayError."""
    tls = {"certificate": str(folder / "tls" / "server.pem"), "private_key": str(folder / "tls" / "server.key")}
    listener = {
        "bind": bootstrap,
        "virtual_cluster": "clients",
        "tls": tls,
        "authentication": {"mechanisms": [security.mechanism, "PLAIN"]},
    }
    specs = {"Cluster": {"bootstrap": list(brokers)}, "VirtualCluster": {"cluster": "clients"}, "Listener": listener}
    documents = [
        {"apiVersion": "tidegate/v1", "kind": kind, "metadata": {"name": "clients"}, "spec": spec}
        for kind, spec in specs.items()
    ]
    user = await _tidegate("user", security.user, "--password-stdin", stdin=security.password)
    return f"{yaml.safe_dump_all(documents)}---\n{user}"


async def _tidegate(*arguments: str, stdin: str = "") -> str:
    """Run a command of the gateway's and return what it printed. Raises NoWayError where it does not know it."""
    done = await trio.run_process(
        [*TIDEGATE, *arguments], stdin=stdin.encode(), capture_stdout=True, capture_stderr=True, check=False
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise NoWayError(f"tidegate {' '.join(arguments[:2])} ended with status {done.returncode}: {said[-300:]}")
    return done.stdout.decode()


@asynccontextmanager
async def serving(command: Sequence[str], folder: Path) -> AsyncIterator[Path]:
    """Run `tidegate serve` until the block ends; yield its log."""
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
        if all(_free(port) for port in range(first + 1, first + NODES)):
            return first
    raise NoWayError(f"expected a row of {NODES} free ports, found none")


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
