"""VirtualCluster: what clients see as one cluster."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance.resources.envelope import DeclaredResource, Name, Spec


class VirtualClusterSpec(Spec):
    """What clients see as one cluster; which real cluster serves it can change while they are connected."""

    cluster: Name
    """The cluster that serves it until a switchover says otherwise."""
    standbys: list[Name] = Field(default_factory=list)
    """Clusters that it may be switched to."""
    replication: Literal["mirrormaker", "offset-preserving", "none"] = "none"
    """How records get from `cluster` to the standbys: decides how a planned switchover measures the lag."""
    producer_ids: Literal["tagged", "plain"] = "tagged"
    """`tagged`: ids from InitProducerId are made unique across clusters (the only safe setting for a virtual
    cluster that may be switched). `plain` exists for the drill that shows what happens without it."""


class VirtualCluster(DeclaredResource):
    kind: Literal["VirtualCluster"] = "VirtualCluster"
    spec: VirtualClusterSpec
