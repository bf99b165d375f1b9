"""The property files of Kafka's brokers and of MirrorMaker 2, as values and as text. Nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.lab.plans import ClusterPlan, ReplicationPlan

CANARY_TOPIC = "tidegate.lab.canary"
"""The lab's own topic, on both ends of a replication: a record that comes through proves that it runs."""


@dataclass(frozen=True)
class NodePorts:
    """The ports of one Kafka node; `controller` where it is a member of the controller quorum."""

    node_id: int
    broker: int
    controller: int | None


def render(properties: Mapping[str, str]) -> str:
    """Render a Java properties file. Backslashes are Java's escapes, so they are doubled."""
    return "".join(f"{key}={value}\n" for key, value in properties.items()).replace("\\", "\\\\")


def controllers(plan: ClusterPlan) -> Sequence[int]:
    """The nodes that are controllers too: three where there are three, so that any one may die; otherwise the first."""
    return plan.node_ids[: 3 if plan.brokers >= 3 else 1]


def broker_properties(plan: ClusterPlan, ports: Mapping[int, NodePorts], node_id: int, data: str) -> dict[str, str]:
    """Return `server.properties` of one combined node; `ports` are those of all nodes, `data` is its own folder."""
    own = ports[node_id]
    quorum = [node for node in ports.values() if node.controller is not None]
    listeners = [f"PLAINTEXT://127.0.0.1:{own.broker}"]
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
        "log.dirs": data,
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


def mirrormaker_properties(
    plan: ReplicationPlan, bootstrap: Mapping[str, Sequence[str]], replicas: Mapping[str, int]
) -> dict[str, str]:
    """Return `mm2.properties` for one direction; `bootstrap` and `replicas` (replication factors) are by cluster name.

    Topics keep their names, groups' offsets are synced each second and exactly (`offset.lag.max=0`): what a DR drill needs,
    and dearer than the defaults.
    """
    source, target = plan.source, plan.target
    flow, target_replicas = f"{source}->{target}", str(replicas[target])
    return {
        "clusters": f"{source},{target}",
        f"{source}.bootstrap.servers": ",".join(bootstrap[source]),
        f"{target}.bootstrap.servers": ",".join(bootstrap[target]),
        f"{flow}.enabled": "true",
        f"{target}->{source}.enabled": "false",
        f"{flow}.topics": f"{plan.topics},{CANARY_TOPIC.replace('.', '[.]')}",
        "topics.exclude": r"mm2-.*\.internal,.*\.checkpoints\.internal,heartbeats,__.*",
        "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        "replication.factor": target_replicas,
        "offset-syncs.topic.replication.factor": str(replicas[source]),
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
        "scheduled.rebalance.max.delay.ms": "0",
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "1000",
        "rebalance.timeout.ms": "6000",
    }
