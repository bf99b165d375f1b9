"""`tidegate serve --workers N`: several processes that begin, are steered and end as one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.cli.gateway import Served, command, free_port, run, served
from tests.cli.test_commands import SLOW, apply, tidegate
from tests.cli.test_serve import orders
from tests.fleet.scene import until_gone

FAULT = SLOW.replace("latency: {delay: 1s}", "outage: {cluster: primary, mode: refuse}").replace("slow", "dark")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "resources.yaml").write_text(orders(free_port()))
    options: list[str | Path] = ["--api", "127.0.0.1:0", "--state", folder / "state", "--workers", "2"]
    with served(folder, "-f", folder / "resources.yaml", *options) as running:
        yield running


def workers(gateway: Served) -> list[list[str]]:
    """Return the rows of the table of workers."""
    lines = tidegate(gateway, "status").stdout.splitlines()
    (head,) = (number for number, line in enumerate(lines) if line.startswith("WORKER"))
    return [line.split() for line in lines[head + 1 : head + 3]]


def pids(gateway: Served) -> list[int]:
    return [int(row[1]) for row in workers(gateway)]


def test_status_proves_what_every_worker_serves(gateway: Served, tmp_path: Path):
    assert [(row[0], row[2], row[3], row[5]) for row in workers(gateway)] == [
        ("1", "1", "0", "0"),
        ("2", "1", "0", "0"),
    ]
    assert apply(gateway, tmp_path, FAULT).exit_code == 0
    assert [row[2] for row in workers(gateway)] == ["2", "2"]
    assert "snapshot 2\n" in tidegate(gateway, "status").stdout


def test_a_fault_strikes_in_all_and_is_counted_once(gateway: Served, tmp_path: Path):
    apply(gateway, tmp_path, FAULT)
    host, port = gateway.ready.listeners[0].bootstrap.split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=30) as client:
            assert client.recv(1) == b""
    shown = tidegate(gateway, "get", "faults", "dark", "-o", "json")
    assert json.loads(shown.stdout)["status"]["fired"] == 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_all_end_cleanly(gateway: Served, number: int, code: int):
    running = pids(gateway)
    assert gateway.end(number) == code
    assert "Traceback" not in gateway.log
    trio.run(until_gone, *running)


def test_it_can_be_ended_while_its_workers_start(tmp_path: Path):
    options = ["--to", "127.0.0.1:1", "--listen", f"127.0.0.1:{free_port()}", "--workers", "2", "--verbose"]
    with subprocess.Popen(command("serve", *options), stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        started = [int(process.stderr.readline().rpartition(" ")[2]) for _ in range(2)]  # worker N has pid P
        process.terminate()
        assert (process.stderr.read(), process.wait()) == ("", 0)
    trio.run(until_gone, *started)


def test_no_worker_outlives_a_supervisor_that_is_killed(gateway: Served):
    running = pids(gateway)
    assert gateway.end(signal.SIGKILL) == -signal.SIGKILL
    trio.run(until_gone, *running)
    assert "Traceback" not in gateway.log


def test_a_killed_worker_is_replaced(gateway: Served):
    victim = pids(gateway)[0]
    os.kill(victim, signal.SIGKILL)
    while workers(gateway)[0][5] != "1" or workers(gateway)[0][2] == "-":
        pass
    assert workers(gateway)[0][1] != str(victim)
    assert f"worker 1 (pid {victim}) ended: SIGKILL; another takes its place" in gateway.log


def test_a_taken_port_is_one_clear_message():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run("serve", "--to", "127.0.0.1:1", "--listen", f"127.0.0.1:{port}", "--workers", "2")
    assert ended.returncode == 1
    assert ended.stderr == f"error: listener default: cannot open 127.0.0.1:{port}: already in use\n"


def test_there_is_at_least_one():
    ended = run("serve", "--to", "127.0.0.1:1", "--listen", "127.0.0.1:1", "--workers", "0")
    assert ended.returncode == 2
    assert "--workers" in ended.stderr
