"""VirtualCluster: what clients see as one cluster."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance.resources.envelope import DeclaredResource, Name, Spec

Replication = Literal["mirrormaker", "byte-preserving", "none"]


class VirtualClusterSpec(Spec):
    """What clients see as one cluster; which real cluster serves it can change while they are connected."""

    cluster: Name
    """The cluster that serves it until a switchover says otherwise."""
    standbys: list[Name] = Field(default_factory=list)
    """Clusters that it may be switched to."""
    replication: Replication = "none"
    """How records get between `cluster` and the standbys, both ways: decides how a planned switchover measures the lag.
    `mirrormaker`: MirrorMaker 2, whose offsets differ from the source's. `byte-preserving`: cluster links and what else
    copies batch for batch, so that offsets and producer ids stay. `none`: nothing that can be measured."""
    replication_by_standby: dict[Name, Replication] = Field(default_factory=dict)
    """Standbys that get their records in another way than `replication` says."""
    producer_ids: Literal["tagged", "plain"] = "tagged"
    """`tagged`: ids from InitProducerId are made unique across clusters (the only safe setting for a virtual
    cluster that may be switched). `plain` exists for the drill that shows what happens without it."""

    def replication_between(self, one: str, other: str) -> Replication:
        """Return how records get from one of its clusters to another."""
        if self.cluster not in {one, other}:
            return self.replication
        return self.replication_by_standby.get(other if one == self.cluster else one, self.replication)


class VirtualCluster(DeclaredResource):
    kind: Literal["VirtualCluster"] = "VirtualCluster"
    spec: VirtualClusterSpec
