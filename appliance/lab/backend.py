"""What each kind of lab provides; `opening` does the rest for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from appliance.lab.cluster import Cluster
from appliance.lab.lab import Kind
from appliance.lab.plans import ClusterPlan, ReplicationPlan
from appliance.lab.replication import Replication


class Backend(ABC):
    """A way to run Kafka clusters on this machine."""

    kind: Kind
    note: str
    versions: Mapping[str, str]

    @abstractmethod
    async def prepare(self, plan: ClusterPlan) -> Cluster:
        """Return the planned cluster, its brokers not yet started. Raises LabError."""

    @abstractmethod
    def replication(self, plan: ReplicationPlan, clusters: Mapping[str, Cluster]) -> Replication:
        """Return the planned replication, not yet started; `clusters` are those that `prepare` returned."""

    @abstractmethod
    async def discard(self) -> None:
        """Throw away what all prepared clusters stored; their brokers have been killed. Logs stay."""
