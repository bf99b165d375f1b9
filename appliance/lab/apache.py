"""The apache lab: Apache Kafka and MirrorMaker 2 on a Java runtime; both come from Python packages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import trio

from appliance.lab.backend import Backend
from appliance.lab.cluster import Cluster, Node
from appliance.lab.jarlock import KAFKA_VERSION
from appliance.lab.java import Java
from appliance.lab.kafka_settings import broker_properties, lay_out, mirrormaker_properties, render
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.ports import PortLeases
from appliance.lab.replication import Replication
from appliance.lab.runners import ProcessRunner
from appliance.lab.storage import format_storage


class ApacheBackend(Backend):
    """Clusters of combined broker and controller processes, below `directory/<cluster>/`."""

    kind: Literal["apache"] = "apache"
    note = (
        "Apache Kafka, all brokers on one machine; replication is MirrorMaker 2 with topic names unchanged "
        "and group offsets synced every second"
    )

    def __init__(self, directory: Path, ports: PortLeases, jars: Sequence[Path]) -> None:
        self.versions = {"kafka": KAFKA_VERSION, "java": Java.version}
        self._directory = directory
        self._ports = ports
        self._java = Java(jars)
        self._data: list[Path] = []

    async def prepare(self, plan: ClusterPlan) -> Cluster:
        folder = self._directory / plan.name
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "data"
        _remove(data)  # what a lab that was killed has left
        self._data.append(data)
        places = lay_out(plan, self._ports.take)
        settings, nodes = {}, []
        for node_id, place in places.items():
            file = folder / f"{node_id}.properties"
            settings[file] = broker_properties(plan, places, node_id, str(data / str(node_id)))
            file.write_text(render(settings[file]))
            runner = ProcessRunner(self._java.command("kafka.Kafka", str(file)), folder / f"{node_id}.log")
            nodes.append(Node(node_id, place.address, runner))
        await format_storage(self._java, settings, folder / "format.log")
        return Cluster(plan.name, nodes)

    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        source, target = clusters[plan.source], clusters[plan.target]
        settings = self._directory / "mm2.properties"
        settings.write_text(render(mirrormaker_properties(plan, source, target)))
        # MirrorMaker keeps its place in the clusters, so that a start goes on where it stopped.
        command = self._java.command("org.apache.kafka.connect.mirror.MirrorMaker", str(settings))
        return Replication("MirrorMaker 2", source, target, ProcessRunner(command, self._directory / "mm2.log"))

    async def discard(self) -> None:
        for data in self._data:
            await trio.to_thread.run_sync(_remove, data)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
