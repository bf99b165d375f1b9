"""The ground of a drill: real clusters, what replicates between them, the virtual cluster, topics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from appliance.resources.consumer_switching import Remedies
from appliance.resources.envelope import Name, Spec
from appliance.resources.virtual_cluster import VirtualClusterSpec

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
"""A topic's name, as Kafka allows it."""
Settings = dict[str, str | int | float | bool]
"""Settings of a foreign program under its own names; their numbers carry no unit there, so none here."""


class ClusterPlan(Spec):
    """One cluster that the lab starts."""

    brokers: int = Field(default=1, ge=1, le=9)
    properties: Settings = Field(default_factory=dict)
    """Settings of its brokers, beside those of the lab."""


class Replication(Spec):
    """What copies topics and group offsets from one cluster to another while the drill runs."""

    model_config = ConfigDict(populate_by_name=True)

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")


class VirtualClusterPlan(Spec):
    """What the drill's clients see as their one cluster."""

    name: Name
    cluster: Name
    """The cluster that serves it at first."""
    standbys: list[Name] = Field(default_factory=list)
    """Clusters that a step may switch it to."""
    producer_ids: Literal["tagged", "plain"] = "tagged"
    """`plain` only for the drill that shows what happens without tags."""
    offsets: Literal["as-is", "continuous"] = "as-is"
    """As in the resource of the gateway; `continuous` where the lab replicates with MirrorMaker."""
    remedies: Remedies = Field(default_factory=Remedies)
    """Some of them `off` only for the drill that shows what happens without."""


class TopicPlan(Spec):
    """One topic, created by the lab on the clusters themselves, not through the gateway."""

    partitions: int = Field(default=1, ge=1, le=1000)
    clusters: list[Name] | None = Field(default=None, min_length=1)
    """Where it is created; where absent, where the virtual cluster begins (replication makes the others)."""
    replication_factor: int | None = Field(default=None, ge=1)
    """Where absent: 3, or the number of brokers where there are fewer."""
    properties: Settings = Field(default_factory=dict)
    """Settings of the topic: min.insync.replicas and the like."""
    log_start_offset: int = Field(default=0, ge=0, le=1_000_000)
    """Where each partition begins: what came before has expired before replication starts. So the offsets of a
    replicated record are lower by as many on the standby."""


class Lab(Spec):
    """All that must run before the first record."""

    clusters: dict[Name, ClusterPlan] = Field(min_length=1)
    replication: Replication | None = None
    virtual_cluster: VirtualClusterPlan
    topics: dict[TopicName, TopicPlan] = Field(min_length=1)

    def clusters_of(self, topic: str) -> list[str]:
        """Return the clusters on which the lab creates this topic. Raises KeyError for an unknown topic."""
        return self.topics[topic].clusters or [self.virtual_cluster.cluster]

    def virtual_cluster_spec(self) -> VirtualClusterSpec:
        """Return the resource's spec that the gateway is given."""
        plan = self.virtual_cluster
        return VirtualClusterSpec(
            cluster=plan.cluster,
            standbys=plan.standbys,
            producer_ids=plan.producer_ids,
            offsets=plan.offsets,
            remedies=plan.remedies,
            replication="mirrormaker" if self.replication else "none",
        )
