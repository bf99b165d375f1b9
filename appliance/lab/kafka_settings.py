"""The property files of Kafka's brokers and of MirrorMaker 2, as values and as text. Nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.lab.cluster import Cluster
from appliance.lab.plans import ClusterPlan, ReplicationPlan

CANARY_TOPIC = "tidegate.lab.canary"
"""The lab's own topic, on both ends of a replication: a record that comes through proves that it runs."""


DATA_KEY = "log.dirs"
"""The property that names a node's data folder; the lab gives each node one."""


@dataclass(frozen=True)
class Place:
    """Where one Kafka node listens; `controller` is the port of a member of the controller quorum, None elsewhere."""

    node_id: int
    broker: int
    controller: int | None

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{self.broker}"


def render(properties: Mapping[str, str]) -> str:
    """Render a Java properties file. Backslashes are Java's escapes, so they are doubled."""
    return "".join(f"{key}={value}\n" for key, value in properties.items()).replace("\\", "\\\\")


def lay_out(plan: ClusterPlan, take_port: Callable[[], int]) -> dict[int, Place]:
    """Give each node of a cluster its ports. Three nodes are controllers where there are three, so that any may die."""
    quorum = plan.node_ids[: 3 if plan.brokers >= 3 else 1]
    return {
        node_id: Place(node_id, take_port(), take_port() if node_id in quorum else None) for node_id in plan.node_ids
    }


def broker_properties(plan: ClusterPlan, places: Mapping[int, Place], node_id: int, data: str) -> dict[str, str]:
    """Return `server.properties` of one node; `places` are those of all nodes, `data` is its own folder."""
    own = places[node_id]
    quorum = [node for node in places.values() if node.controller is not None]
    listeners = [f"PLAINTEXT://{own.address}"]
    if own.controller is not None:
        listeners.append(f"CONTROLLER://127.0.0.1:{own.controller}")
    replicas, in_sync = ("3", "2") if plan.brokers >= 3 else ("1", "1")
    return {
        "process.roles": "broker" if own.controller is None else "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(f"{node.node_id}@127.0.0.1:{node.controller}" for node in quorum),
        "listeners": ",".join(listeners),
        "advertised.listeners": listeners[0],
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        DATA_KEY: data,
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # A typo, or a client that asks the wrong cluster after a switch, must show and not make a topic.
        "auto.create.topics.enable": "false",
        # Kafka's 50 partitions each cost a small broker more time than all of its records.
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.num.partitions": "5",
        # A dead broker is noticed after 3 s instead of 9, a new group does not wait for members that never come.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        # Half of the small heap otherwise: 128 MB, allocated at start.
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        **plan.properties,
    }


def mirrormaker_properties(plan: ReplicationPlan, source: Cluster, target: Cluster) -> dict[str, str]:
    """Return `mm2.properties` for one direction.

    Topics keep their names. Groups' offsets are synced each second and, with a sync for every record
    (`offset.lag.max=0`), exactly for a group at the end of its log; MirrorMaker thins old syncs out, so that a group
    that lags is put a little before its place. A DR drill wants that, and it is dearer than the defaults.
    """
    flow, back = f"{source.name}->{target.name}", f"{target.name}->{source.name}"
    target_replicas = str(target.replication_factor)
    return {
        "clusters": f"{source.name},{target.name}",
        f"{source.name}.bootstrap.servers": ",".join(source.bootstrap),
        f"{target.name}.bootstrap.servers": ",".join(target.bootstrap),
        f"{flow}.enabled": "true",
        f"{back}.enabled": "false",
        f"{flow}.topics": f"{plan.topics},{CANARY_TOPIC.replace('.', '[.]')}",
        "topics.exclude": r"mm2-.*\.internal,.*\.checkpoints\.internal,heartbeats,__.*",
        "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        "replication.factor": target_replicas,
        "offset-syncs.topic.replication.factor": str(source.replication_factor),
        "checkpoints.topic.replication.factor": target_replicas,
        "config.storage.replication.factor": target_replicas,
        "offset.storage.replication.factor": target_replicas,
        "status.storage.replication.factor": target_replicas,
        # Heartbeats would bring up a second, idle direction of workers on the source.
        "emit.heartbeats.enabled": "false",
        "emit.checkpoints.enabled": "true",
        "emit.checkpoints.interval.seconds": "1",
        "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": "1",
        "refresh.topics.interval.seconds": "1",
        "refresh.groups.interval.seconds": "1",
        "sync.topic.configs.interval.seconds": "5",
        "sync.topic.acls.enabled": "false",  # the lab's brokers have no authorizer
        "offset.lag.max": "0",
        "offset.flush.interval.ms": "1000",
        "dedicated.mode.enable.internal.rest": "false",
        # A worker that was killed is missed by its group; the next one must not wait for it (5 minutes by default).
        # Only under the target's name do these reach the worker.
        f"{target.name}.scheduled.rebalance.max.delay.ms": "0",
        f"{target.name}.session.timeout.ms": "6000",
        f"{target.name}.heartbeat.interval.ms": "1000",
        f"{target.name}.rebalance.timeout.ms": "6000",
    }
