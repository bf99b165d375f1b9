"""What the docker lab asks of the engine, against a stand-in for testcontainers' container."""

from pathlib import Path
from typing import Any

import pytest

from appliance.lab import ClusterPlan, docker
from appliance.lab.docker import ContainerRunner, DockerBackend
from appliance.lab.ports import PortLeases


class Engine:
    """A container and its wrapper in one; does what an engine does to `status` and remembers what it was asked."""

    def __init__(self, image: str, **options: Any) -> None:
        self.asked: list[Any] = [(image, options)]
        self.status = "created"

    def __getattr__(self, name: str) -> Any:
        def record(*values: Any) -> "Engine":
            self.asked.append((name, *values))
            return self

        return record

    def get_wrapped_container(self) -> "Engine":
        return self

    def reload(self) -> None:
        """Status is always new here."""

    def logs(self) -> bytes:
        return b"one\ntwo\n"

    def start(self) -> "Engine":
        self.status = "running"
        return self

    def pause(self) -> None:
        self.status = "paused"

    def unpause(self) -> None:
        self.status = "running"

    def kill(self) -> None:
        self.status = "exited"

    def stop(self, timeout: int | None = None) -> None:
        self.status = "removed" if timeout is None else "exited"


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    made: list[Engine] = []

    def make(image: str, **options: Any) -> Engine:
        made.append(Engine(image, **options))
        return made[-1]

    monkeypatch.setattr(docker, "DockerContainer", make)
    return made


async def test_actions_change_the_containers_state(engines: list[Engine], tmp_path: Path):
    runner = ContainerRunner("run kafka", "a=b\n", tmp_path / "log")
    states = [runner.state]
    for act in (runner.kill, runner.launch, runner.pause, runner.stop, runner.launch, runner.pause, runner.kill):
        await act()
        states.append(runner.state)
    assert states == ["stopped", "stopped", "running", "paused", "stopped", "running", "paused", "stopped"]
    assert len(engines) == 1, "the container and its data are kept over a stop"
    assert "two" in runner.autopsy()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    runner.remove()
    assert engines[0].status == "removed"


async def test_a_broker_listens_where_clients_and_brokers_both_reach_it(engines: list[Engine], tmp_path: Path):
    with PortLeases(tmp_path / "ports") as ports:
        backend = DockerBackend(tmp_path, ports)
        cluster = await backend.prepare(ClusterPlan("a", brokers=3))
        await backend._runners[0].launch()
        await backend.discard()
    (image, options), *asked = engines[0].asked
    assert image == "apache/kafka:4.3.1"
    assert options["network_mode"] == "host"
    requests = {name: values for name, *values in asked}
    assert (
        f"advertised.listeners=PLAINTEXT://{cluster.bootstrap[0]}\n".encode() in requests["with_copy_into_container"][0]
    )
    assert "kafka-storage.sh format --ignore-formatted" in requests["with_command"][0][0]
    assert engines[0].status == "removed"
