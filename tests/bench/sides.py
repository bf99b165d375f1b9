"""The ways to the brokers: the bare relay and the gateway; `peers` has the rest. Processes end with their blocks."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio
import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from appliance.lab.ports import PortLeases
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.bench.certificates import Certificates
from tests.bench.figures import Side
from tests.bench.processes import tree

ROOT = Path(__file__).parents[2]
_READY_SECONDS = 30.0
_NODES = 16
"""Ports that must be free behind the gateway's bootstrap port: node ids of the lab count from 1."""


class BenchError(Exception):
    """The benchmark cannot be done; the message says what to do."""


@dataclass(frozen=True)
class Way:
    """Where clients connect, and whose CPU time and memory that costs."""

    side: Side
    bootstrap: str
    pids: tuple[int, ...] = ()
    started: str = ""
    """How it was started, for the page."""
    certificate: Path | None = None
    """Of the authority to trust, where clients connect with TLS."""
    version: str = ""


def environment() -> dict[str, str]:
    """Return the environment of our processes: the repository's modules are found from everywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def open_relay(brokers: Sequence[str], ports: PortLeases, directory: Path) -> AsyncIterator[Way]:
    """Run the bare relay in front of these brokers."""
    pairs = {ports.take(): int(broker.rpartition(":")[2]) for broker in brokers}
    bootstrap = ",".join(f"127.0.0.1:{here}" for here in pairs)
    command = [sys.executable, str(Path(__file__).with_name("bare_relay.py"))]
    command += [f"{here}={there}" for here, there in pairs.items()]
    async with running(Side.RELAY, command, bootstrap, len(brokers), directory) as way:
        yield way


@asynccontextmanager
async def open_gateway(
    brokers: Sequence[str],
    ports: PortLeases,
    directory: Path,
    *,
    certificates: Certificates | None = None,
    workers: int | None = None,
) -> AsyncIterator[Way]:
    """Run the gateway in front of these brokers, as a user does."""
    port = row_of_ports(ports)
    bootstrap = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "appliance", "serve"]
    if certificates is None:
        command += ["--to", ",".join(brokers), "--listen", bootstrap]
    else:
        # Beside the certificates: whoever measures needs nothing else of the gateway's.
        declared = certificates.authority.with_name(f"gateway-{port}.yaml")
        declared.write_text(tls_resources(brokers, bootstrap, certificates))
        command += ["-f", str(declared), "--state", str(directory / f"state-{port}"), "--api", "127.0.0.1:0"]
    command += ["--workers", str(workers)] if workers is not None else []
    authority = certificates.authority if certificates else None
    async with running(Side.GATEWAY, command, bootstrap, len(brokers), directory, authority) as way:
        yield way


def tls_resources(brokers: Sequence[str], bootstrap: str, certificates: Certificates) -> str:
    """Return what the gateway is to serve where its listener speaks TLS."""
    specs = {
        "Cluster": {"bootstrap": list(brokers)},
        "VirtualCluster": {"cluster": "bench"},
        "Listener": {
            "bind": bootstrap,
            "virtual_cluster": "bench",
            "tls": {"certificate": str(certificates.certificate), "private_key": str(certificates.key)},
        },
    }
    documents = [
        {"apiVersion": "tidegate/v1", "kind": kind, "metadata": {"name": "bench"}, "spec": spec}
        for kind, spec in specs.items()
    ]
    return yaml.safe_dump_all(documents, sort_keys=False)


@asynccontextmanager
async def running(
    side: Side,
    command: Sequence[str],
    bootstrap: str,
    brokers: int,
    directory: Path,
    authority: Path | None = None,
    version: Callable[[Path], str] = lambda _: "",
) -> AsyncIterator[Way]:
    """Run a side's command until the block ends; `version` finds its version in its log. Raises BenchError."""
    name = f"{side.value.replace(' ', '-')}{'-tls' if authority else ''}"
    process = await start_guarded(command, directory / f"{name}.log", environment())
    try:
        await _wait_ready(side, process, bootstrap, brokers, authority)
        started = " ".join([Path(command[0]).name, *command[1:]])
        yield Way(side, bootstrap, tuple(_own(process)), started, authority, version(process.log))
    finally:
        await process.aclose()


def _own(process: GuardedProcess) -> list[int]:
    """Return the command's processes, without their guardian."""
    return tree(process._guardian.pid)[1:]


async def _wait_ready(
    side: Side, process: GuardedProcess, bootstrap: str, brokers: int, authority: Path | None
) -> None:
    """Wait until all brokers are named through this side and each can be connected to there."""
    tls = {"security.protocol": "ssl", "ssl.ca.location": str(authority)} if authority else {}
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **tls})
    with trio.move_on_after(_READY_SECONDS):
        while process.returncode is None:
            if await trio.to_thread.run_sync(partial(_answers, client, brokers)):
                return
            await trio.sleep(0.1)
    state = "did not become ready" if process.returncode is None else f"ended with status {process.returncode}"
    raise BenchError(f"the {side} {state}; its log {process.log} ends with:\n{last_lines(process.log)}")


def _answers(client: AdminClient, brokers: int) -> bool:
    try:
        found = client.list_topics(timeout=1.0).brokers.values()
        for broker in found:
            with socket.create_connection((broker.host, broker.port), timeout=1.0):
                pass
    except (KafkaException, OSError):
        return False
    return len(found) == brokers


def row_of_ports(ports: PortLeases) -> int:
    """Return the first of a row of free ports. Raises BenchError."""
    for _ in range(100):
        first = ports.take()
        if all(_free(port) for port in range(first + 1, first + _NODES)):
            return first
    raise BenchError(f"expected a row of {_NODES} free ports, found none")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
