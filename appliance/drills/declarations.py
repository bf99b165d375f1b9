"""From a scenario's lab to what the lab is asked for, and to what the gateway is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from appliance.drills.access import Access
from appliance.drills.scenario.lab import Lab as LabSection
from appliance.lab.plans import ClusterPlan, LabPlan, ReplicationPlan
from appliance.resources.cluster import Cluster, ClusterSpec
from appliance.resources.envelope import Metadata
from appliance.resources.kinds import Resource
from appliance.resources.listener import BrokerPorts, Listener, ListenerSpec
from appliance.resources.virtual_cluster import VirtualCluster

_NODE_IDS_APART = 10
"""Clusters count their nodes from 1, 11, 21, ...: no two brokers of a drill share an id, and reports can tell them."""


def plan_lab(section: LabSection) -> LabPlan:
    """Return what the lab is asked for."""
    clusters = tuple(
        ClusterPlan(
            name=name,
            brokers=plan.brokers,
            first_node_id=1 + index * _NODE_IDS_APART,
            properties={key: setting_text(value) for key, value in plan.properties.items()},
        )
        for index, (name, plan) in enumerate(section.clusters.items())
    )
    replication = section.replication
    return LabPlan(
        clusters=clusters,
        replication=ReplicationPlan(replication.source, replication.target, at_once=False) if replication else None,
    )


def setting_text(value: str | float | bool) -> str:
    """Return a foreign setting as Kafka reads it (`true`, not `True`)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class FoundCluster:
    """What the gateway must know of a cluster that runs."""

    bootstrap: Sequence[str]
    node_ids: Sequence[int]


def declare(
    section: LabSection,
    found: Mapping[str, FoundCluster],
    *,
    access: Access,
    preserves_offsets: bool,
    port: Callable[[], int],
) -> tuple[list[Resource], str]:
    """Return the resources that the gateway is started with, and the bootstrap address of its listener.

    Every broker that can appear gets a leased port of its own (`pinned`): two runs on one machine never meet.
    """
    virtual = section.virtual_cluster_spec()
    if preserves_offsets and section.replication is not None:
        # Where offsets are the same on both sides, there is nothing to make continuous.
        virtual = virtual.model_copy(update={"replication": "byte-preserving", "offsets": "as-is"})
    name = section.virtual_cluster.name
    bootstrap = f"127.0.0.1:{port()}"
    node_ids = sorted({node for cluster in found.values() for node in cluster.node_ids})
    ports = BrokerPorts(first=port(), count=1, pinned={node: port() for node in node_ids})
    resources: list[Resource] = [
        Cluster(metadata=Metadata(name=each), spec=ClusterSpec(bootstrap=list(cluster.bootstrap)))
        for each, cluster in found.items()
    ]
    resources += [
        VirtualCluster(metadata=Metadata(name=name), spec=virtual),
        Listener(
            metadata=Metadata(name=name),
            spec=ListenerSpec(
                bind=bootstrap,
                virtual_cluster=name,
                broker_ports=ports,
                tls=access.tls,
                authentication=access.authentication,
            ),
        ),
        *access.users,
    ]
    return resources, bootstrap
