"""The docker lab: the apache/kafka image by testcontainers, one container a broker.

Containers share the machine's network. A broker must advertise an address that clients outside and brokers inside
can both use; here that is `127.0.0.1:port`, so that every setting is the apache lab's, quorums of three included.
It takes an engine on this Linux machine. testcontainers' reaper removes the containers where we end without doing
so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import docker.errors  # type: ignore[import-untyped]
import trio
from docker.models.containers import Container  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from appliance.lab.backend import Backend
from appliance.lab.cluster import Cluster, Node
from appliance.lab.errors import BrokerFailed, EngineUnavailable
from appliance.lab.jarlock import KAFKA_VERSION
from appliance.lab.kafka_settings import broker_properties, lay_out, mirrormaker_properties, render
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.ports import PortLeases
from appliance.lab.replication import Replication
from appliance.lab.runners import PATIENCE, Runner, State
from appliance.lab.storage import new_kafka_uuid

_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
_SETTINGS = "/tmp/tidegate.properties"  # noqa: S108  # in the container, where the image's user may write
_DATA = "/tmp/tidegate-data"  # noqa: S108  # as above; kept over a stop and a start of the container
_BIN = "/opt/kafka/bin"
_HEAP = "-Xms64m -Xmx256m"
_LAST_LINES = 12
_STATES: Mapping[str, State] = {"running": "running", "paused": "paused"}


class DockerBackend(Backend):
    """Clusters of containers. Made by `connect`."""

    kind: Literal["docker"] = "docker"
    note = (
        "Apache Kafka in containers, all on one machine; replication is MirrorMaker 2 with topic names unchanged "
        "and group offsets synced every second"
    )

    def __init__(self, directory: Path, ports: PortLeases) -> None:
        self.versions = {"kafka": KAFKA_VERSION}
        self._directory = directory
        self._ports = ports
        self._runners: list[ContainerRunner] = []

    @classmethod
    async def connect(cls, directory: Path, ports: PortLeases) -> DockerBackend:
        """Make sure that an engine answers. Raises EngineUnavailable."""
        await trio.to_thread.run_sync(_ping)
        return cls(directory, ports)

    async def prepare(self, plan: ClusterPlan) -> Cluster:
        folder = self._directory / plan.name
        folder.mkdir(parents=True, exist_ok=True)
        places = lay_out(plan, self._ports.take)
        cluster_id = new_kafka_uuid()
        script = (
            f"{_BIN}/kafka-storage.sh format --ignore-formatted -t {cluster_id} -c {_SETTINGS} "
            f"&& exec {_BIN}/kafka-server-start.sh {_SETTINGS}"
        )
        nodes = []
        for node_id, place in places.items():
            settings = broker_properties(plan, places, node_id, _DATA)
            nodes.append(Node(node_id, place.address, self._runner(script, settings, folder / f"{node_id}.log")))
        return Cluster(plan.name, nodes)

    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        source, target = clusters[plan.source], clusters[plan.target]
        script = f"exec {_BIN}/connect-mirror-maker.sh {_SETTINGS}"
        runner = self._runner(script, mirrormaker_properties(plan, source, target), self._directory / "mm2.log")
        return Replication("MirrorMaker 2", source, target, runner)

    async def discard(self) -> None:
        for runner in self._runners:
            await trio.to_thread.run_sync(runner.remove)

    def _runner(self, script: str, settings: Mapping[str, str], log: Path) -> ContainerRunner:
        self._runners.append(ContainerRunner(script, render(settings), log))
        return self._runners[-1]


def _ping() -> None:
    try:
        DockerClient().client.ping()
    except docker.errors.DockerException as error:
        raise EngineUnavailable(
            f"expected a container engine for the docker lab; found: {error}; start one, or use --lab apache"
        ) from error


class ContainerRunner(Runner):
    """A container of the image that runs one script. Made at the first launch, kept over stops, gone with `remove`."""

    def __init__(self, script: str, settings: str, log: Path) -> None:
        self._recipe = (script, settings)
        self._log = log
        self._container: DockerContainer | None = None

    @property
    def state(self) -> State:
        if self._container is None:
            return "stopped"
        container = self._container.get_wrapped_container()
        container.reload()
        return _STATES.get(container.status, "stopped")

    async def launch(self) -> None:
        try:
            await trio.to_thread.run_sync(self._launch)
        except docker.errors.DockerException as error:
            raise BrokerFailed(f"expected a container of {_IMAGE} to start; found: {error}") from error

    def _launch(self) -> None:
        if self._container is not None:
            self._container.get_wrapped_container().start()
            return
        script, settings = self._recipe
        self._container = (
            DockerContainer(_IMAGE, network_mode="host", entrypoint=["sh", "-c"])
            .with_command([script])
            .with_env("KAFKA_HEAP_OPTS", _HEAP)
            .with_copy_into_container(settings.encode(), _SETTINGS)
            .start()
        )

    def remove(self) -> None:
        """End and remove the container with all that it stored. Blocks."""
        if self._container is not None:
            self._container.stop()

    async def kill(self) -> None:
        await self._act({"running", "paused"}, lambda container: container.kill)

    async def stop(self) -> None:
        await self.resume()
        await self._act({"running"}, lambda container: partial(container.stop, timeout=PATIENCE))

    async def pause(self) -> None:
        await self._act({"running"}, lambda container: container.pause)

    async def resume(self) -> None:
        await self._act({"paused"}, lambda container: container.unpause)

    def autopsy(self) -> str:
        if self._container is None:
            return "it has no container yet"
        output = self._container.get_wrapped_container().logs()
        self._log.write_bytes(output)
        lines = output.decode(errors="replace").splitlines()[-_LAST_LINES:]
        return f"its log {self._log} ends with:\n" + "\n".join(lines)

    async def _act(self, states: set[State], choose: Callable[[Container], Callable[[], object]]) -> None:
        if self._container is None or self.state not in states:
            return
        try:
            await trio.to_thread.run_sync(choose(self._container.get_wrapped_container()))
        except docker.errors.DockerException as error:
            raise BrokerFailed(f"expected the engine to act on a container of {_IMAGE}; found: {error}") from error
