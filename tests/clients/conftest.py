"""One cluster of three brokers, and before it the gateway as a user starts it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from appliance.harness import BlockingCluster
from appliance.lab.jarlock import read_lock
from appliance.lab.jars import obtain_jars
from appliance.lab.java import Java
from tests.gateway.scene import free_base

START_SECONDS = 60
TOOL_SECONDS = 120


@dataclass(frozen=True)
class RunningGateway:
    """The gateway before the three brokers."""

    bootstrap: str
    """What its clients are given."""
    node_ports: frozenset[int]
    """The ports of the nodes' doors."""
    broker_ports: frozenset[int]
    """The ports that they must never connect to."""
    log: Path

    @property
    def ports(self) -> frozenset[int]:
        """All ports that clients may ever connect to."""
        return self.node_ports | {int(self.bootstrap.rpartition(":")[2])}

    @property
    def complaints(self) -> list[str]:
        """What it had to say of errors of its own."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or "error of the gateway" in line]


@pytest.fixture(scope="session")
def gateway(three_brokers: BlockingCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Start `tidegate serve --to ... --listen ...` once for all tests of clients."""
    folder = tmp_path_factory.mktemp("gateway")
    base = free_base(range(5))  # the bootstrap, and nodes 1 to 3 at their distance from it
    ready, log = folder / "ready", folder / "log"
    command = [sys.executable, "-m", "appliance", "serve", "--to", three_brokers.bootstrap_servers]
    command += ["--listen", f"127.0.0.1:{base}", "--state", str(folder / "state"), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        _wait_ready(process, ready, log)
        yield RunningGateway(
            bootstrap=f"127.0.0.1:{base}",
            node_ports=frozenset({base + 2, base + 3, base + 4}),
            broker_ports=frozenset(int(each.rpartition(":")[2]) for each in three_brokers.bootstrap),
            log=log,
        )
    finally:
        process.terminate()
        process.wait(30)


def _wait_ready(process: psutil.Popen, ready: Path, log: Path) -> None:
    for _ in range(START_SECONDS * 20):
        if ready.exists():
            return
        try:
            process.wait(0.05)
        except psutil.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the gateway did not become ready:\n{log.read_text()}")


@pytest.fixture(autouse=True)
def _gateway_has_nothing_to_complain(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test of a client may end with an error of the gateway's own in its log."""
    yield
    if "gateway" in request.fixturenames:
        assert request.getfixturevalue("gateway").complaints == []


class Tools:
    """Kafka's own command-line tools, by class, against the gateway."""

    def __init__(self, java: Java, folder: Path) -> None:
        self._java = java
        self.folder = folder
        self.environment = {**os.environ, "JDK_JAVA_OPTIONS": "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"}

    def command(self, tool: str, *arguments: str) -> list[str]:
        """Return the command line of a tool, named below org.apache.kafka.tools."""
        return self._java.command(f"org.apache.kafka.tools.{tool}", *arguments)

    def run(self, tool: str, *arguments: str, stdin: str = "") -> str:
        """Run a tool to its end and return what it printed; fails unless it exits with 0."""
        done = subprocess.run(
            self.command(tool, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            env=self.environment,
            check=False,
        )
        assert done.returncode == 0, f"{tool} {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def properties(self, name: str, **values: str) -> str:
        """Write a properties file and return its path; underscores in names stand for dots."""
        path = self.folder / f"{name}.properties"
        path.write_text("".join(f"{key.replace('_', '.')}={value}\n" for key, value in values.items()))
        return str(path)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Kafka's tools."""
    return Tools(Java(obtain_jars(read_lock(), lambda _: None)), tmp_path_factory.mktemp("tools"))


@pytest.fixture
def topic(three_brokers: BlockingCluster, fresh_name: str) -> str:
    """A topic of three partitions on all three brokers, made without the gateway."""
    three_brokers.create_topic(fresh_name, 3)
    return fresh_name
