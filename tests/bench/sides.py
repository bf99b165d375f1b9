"""The ways to the brokers: direct, through the bare relay, through the gateway. Processes end with their blocks."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from appliance.lab.ports import PortLeases
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
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
    async with _running(Side.RELAY, command, bootstrap, len(brokers), directory) as way:
        yield way


@asynccontextmanager
async def open_gateway(brokers: Sequence[str], ports: PortLeases, directory: Path) -> AsyncIterator[Way]:
    """Run the gateway in front of these brokers, as a user does."""
    port = _row_of_ports(ports)
    bootstrap, to = f"127.0.0.1:{port}", ",".join(brokers)
    command = [sys.executable, "-m", "appliance", "serve", "--to", to, "--listen", bootstrap]
    async with _running(Side.GATEWAY, command, bootstrap, len(brokers), directory) as way:
        yield way


@asynccontextmanager
async def _running(
    side: Side, command: Sequence[str], bootstrap: str, brokers: int, directory: Path
) -> AsyncIterator[Way]:
    name = side.value.replace(" ", "-")
    process = await start_guarded(command, directory / f"{name}.log", environment())
    try:
        await _wait_ready(side, process, bootstrap, brokers)
        yield Way(side, bootstrap, tuple(_own(process)), " ".join(["python", *command[1:]]))
    finally:
        await process.aclose()


def _own(process: GuardedProcess) -> list[int]:
    """Return the command's processes, without their guardian."""
    return tree(process._guardian.pid)[1:]


async def _wait_ready(side: Side, process: GuardedProcess, bootstrap: str, brokers: int) -> None:
    """Wait until all brokers are named through this side and each can be connected to there."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
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


def _row_of_ports(ports: PortLeases) -> int:
    """Return the first of a row of free ports."""
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
