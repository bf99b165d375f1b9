"""From live state to the answers that clients see. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from appliance import __version__
from appliance.control.armoury import FaultCounts
from appliance.control.datapath import WorkerFacts
from appliance.control.failover_watch import Watch
from appliance.control.faults import LiveFault
from appliance.control.plane import ControlPlane
from appliance.control.switchover import Switchover
from appliance.gateway.server import GatewayFacts
from appliance.remote.answers import (
    ClusterStatus,
    FaultAnswer,
    FaultStatus,
    HeldFetch,
    ListenerStatus,
    LiveFaultStatus,
    PolicyAnswer,
    PolicyEventAnswer,
    PolicyStatus,
    StatusAnswer,
    SwitchoverAnswer,
    VirtualClusterStatus,
    WatchedCluster,
    WorkerStatus,
)
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener
from appliance.resources.units import format_duration


def fault_answer(live: LiveFault, counts: FaultCounts) -> FaultAnswer:
    """Return a fault with its counters."""
    status = FaultStatus(
        state=live.state,
        matched=counts.matched,
        fired=counts.fired,
        skipped=dict(counts.skipped),
        clients=sorted(counts.clients),
    )
    return FaultAnswer(metadata=live.fault.metadata, spec=live.fault.spec, status=status)


def switchover_answer(switchover: Switchover) -> SwitchoverAnswer:
    """Return a switchover as it stands."""
    return SwitchoverAnswer.model_validate(switchover, from_attributes=True)


def status_answer(
    plane: ControlPlane,
    facts: GatewayFacts,
    writes_in_flight: Mapping[str, int],
    workers: Iterable[WorkerFacts],
) -> StatusAnswer:
    """Return the whole gateway at a glance."""
    catalogue = plane.catalogue
    per_virtual_cluster: dict[str, int] = {}
    per_cluster: dict[str, int] = {}
    for (virtual_cluster, cluster, _), count in facts.connections.items():
        per_virtual_cluster[virtual_cluster] = per_virtual_cluster.get(virtual_cluster, 0) + count
        per_cluster[cluster] = per_cluster.get(cluster, 0) + count
    virtual_clusters = []
    for name in catalogue.virtual_clusters:
        switchover = plane.switchover(name)
        virtual_clusters.append(
            VirtualClusterStatus(
                name=name,
                serving=plane.serving(name),
                fenced=plane.is_fenced(name),
                connections=per_virtual_cluster.get(name, 0),
                writes_in_flight=writes_in_flight.get(name, 0),
                fence=plane.fence_of(name).state,
                switchover=switchover.state if switchover else None,
                switchover_id=switchover.id if switchover else None,
                switchover_detail=switchover.detail if switchover else "",
                held=[HeldFetch.model_validate(each, from_attributes=True) for each in plane.held_fetches(name)],
            )
        )
    return StatusAnswer(
        version=__version__,
        snapshot=facts.snapshot_version,
        published=plane.version,
        workers=[_worker(each) for each in workers],
        virtual_clusters=virtual_clusters,
        clusters=[_cluster(name, facts, per_cluster.get(name, 0)) for name in catalogue.clusters],
        listeners=[_listener(each, plane, facts) for each in catalogue.listeners.values()],
        faults=[_live_fault(each, plane.fault_counts(each)) for each in plane.faults.alive()],
        policies=[policy_status(watch) for watch in plane.failover.all()],
    )


def _worker(facts: WorkerFacts) -> WorkerStatus:
    return WorkerStatus(
        number=facts.number,
        pid=facts.pid,
        snapshot=facts.edition,
        connections=facts.connections,
        uptime=format_duration(round(facts.uptime)),
        restarts=facts.restarts,
    )


def policy_status(watch: Watch) -> PolicyStatus:
    """Return what a failover policy thinks."""
    spec = watch.policy.spec
    return PolicyStatus(
        name=watch.policy.name,
        cluster=spec.cluster,
        decision=watch.decision.action,
        why=watch.decision.why,
        clusters=[
            WatchedCluster(
                name=name,
                standing=health.standing,
                failure=health.failure,
                exposure=None if name == spec.cluster else watch.exposure(name),
                lacks="" if name == spec.cluster else watch.lacks(name),
            )
            for name, health in watch.health.items()
        ],
    )


def policy_answer(watch: Watch) -> PolicyAnswer:
    """Return what a failover policy thinks, and what it saw and did."""
    events = [PolicyEventAnswer(at=each.at, text=each.text) for each in watch.events]
    return PolicyAnswer(**dict(policy_status(watch)), events=events)


def _cluster(name: str, facts: GatewayFacts, connections: int) -> ClusterStatus:
    cluster_id, brokers = facts.clusters.get(name, (None, {}))
    return ClusterStatus(
        name=name,
        cluster_id=cluster_id,
        brokers={node_id: f"{host}:{port}" for node_id, (host, port) in sorted(brokers.items())},
        connections=connections,
        error=facts.failures.get(name),
    )


def _listener(listener: Listener, plane: ControlPlane, facts: GatewayFacts) -> ListenerStatus:
    host, port = parse_address(listener.spec.bind)
    serving = plane.serving(listener.spec.virtual_cluster)
    _, brokers = facts.clusters.get(serving, (None, {}))
    return ListenerStatus(
        name=listener.name,
        virtual_cluster=listener.spec.virtual_cluster,
        bootstrap=f"{listener.spec.advertise or host}:{port}",
        problems=[*_shared_ports(listener, list(brokers)), *_closed((host, port), facts)],
    )


def _shared_ports(listener: Listener, node_ids: list[int]) -> list[str]:
    """Two brokers on one port cannot both be served: say so, and the way out."""
    ports: dict[int, list[int]] = {}
    for node_id in sorted(node_ids):
        ports.setdefault(listener.spec.ports().port_of(node_id), []).append(node_id)
    return [
        f"brokers {', '.join(map(str, ids))} fall on port {port}: name a port for one in broker_ports.pinned"
        for port, ids in ports.items()
        if len(ids) > 1
    ]


def _closed(bootstrap: tuple[str, int], facts: GatewayFacts) -> list[str]:
    if bootstrap in facts.doors:
        return []
    return [f"{bootstrap[0]}:{bootstrap[1]} is not open: the log says why"]


def _live_fault(live: LiveFault, counts: FaultCounts) -> LiveFaultStatus:
    return LiveFaultStatus(
        name=live.fault.name,
        type=live.fault.spec.type,
        virtual_cluster=live.fault.spec.virtual_cluster,
        state=live.state,
        fired=counts.fired,
    )
