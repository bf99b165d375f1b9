"""What resources must satisfy together: references lead somewhere, no two listeners want one port."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from appliance.control.catalogue import Catalogue
from appliance.resources.envelope import parse_address
from appliance.resources.failover_policy import FailoverPolicy
from appliance.resources.fault import FaultSpec
from appliance.resources.listener import Listener
from appliance.resources.sni import indistinct
from appliance.resources.virtual_cluster import VirtualCluster

ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def problems(catalogue: Catalogue) -> list[str]:
    """Return all that is wrong between the resources, each as `Kind name: path: message`."""
    found: list[str] = []
    for virtual_cluster in catalogue.virtual_clusters.values():
        found += _virtual_cluster_problems(virtual_cluster, catalogue)
    for listener in catalogue.listeners.values():
        if listener.spec.virtual_cluster not in catalogue.virtual_clusters:
            name = listener.spec.virtual_cluster
            found.append(f"Listener {listener.name}: spec.virtual_cluster: there is no VirtualCluster {name}")
    for policy in catalogue.failover_policies.values():
        found += _policy_problems(policy, catalogue)
    found += _port_problems(catalogue)
    found += _sni_problems(catalogue)
    found += _user_problems(catalogue)
    return found


def fault_problems(spec: FaultSpec, catalogue: Catalogue) -> list[str]:
    """Return what a fault refers to in vain."""
    virtual_cluster = catalogue.virtual_clusters.get(spec.virtual_cluster)
    if virtual_cluster is None:
        return [f"spec.virtual_cluster: there is no VirtualCluster {spec.virtual_cluster}"]
    if spec.outage is not None and spec.outage.cluster not in members(virtual_cluster):
        known = ", ".join(members(virtual_cluster))
        return [
            f"spec.outage.cluster: expected a cluster of {virtual_cluster.name} ({known}); found {spec.outage.cluster}"
        ]
    return []


def canary_topics(catalogue: Catalogue) -> frozenset[str]:
    """Return the topics of all canaries: each cluster has its own records in them."""
    return frozenset(each.spec.canary.topic for each in catalogue.failover_policies.values())


def members(virtual_cluster: VirtualCluster) -> list[str]:
    """Return the clusters that may serve a virtual cluster."""
    return [virtual_cluster.spec.cluster, *virtual_cluster.spec.standbys]


def referrers(catalogue: Catalogue, kind: str, name: str) -> list[str]:
    """Return who refers to this resource, as `Kind name`."""
    if kind == "Cluster":
        return [
            *(f"VirtualCluster {each.name}" for each in catalogue.virtual_clusters.values() if name in members(each)),
            *(
                f"FailoverPolicy {each.name}"
                for each in catalogue.failover_policies.values()
                if name in {each.spec.cluster, *each.spec.to}
            ),
        ]
    if kind == "VirtualCluster":
        return [f"Listener {each.name}" for each in catalogue.listeners.values() if each.spec.virtual_cluster == name]
    return []


def _virtual_cluster_problems(virtual_cluster: VirtualCluster, catalogue: Catalogue) -> Iterator[str]:
    where = f"VirtualCluster {virtual_cluster.name}"
    seen: set[str] = set()
    paths = [
        "spec.cluster",
        *(f"spec.standbys.{index}" for index in range(len(virtual_cluster.spec.standbys))),
    ]
    for path, name in zip(paths, members(virtual_cluster), strict=True):
        if name not in catalogue.clusters:
            yield f"{where}: {path}: there is no Cluster {name}"
        if name in seen:
            yield f"{where}: {path}: {name} is said twice"
        seen.add(name)
    for name in virtual_cluster.spec.replication_by_standby:
        if name not in virtual_cluster.spec.standbys:
            yield f"{where}: spec.replication_by_standby.{name}: expected one of its standbys"


def _policy_problems(policy: FailoverPolicy, catalogue: Catalogue) -> Iterator[str]:
    where = f"FailoverPolicy {policy.name}"
    spec = policy.spec
    paths = ["spec.cluster", *(f"spec.to.{index}" for index in range(len(spec.to)))]
    seen: set[str] = set()
    for path, name in zip(paths, [spec.cluster, *spec.to], strict=True):
        if name not in catalogue.clusters:
            yield f"{where}: {path}: there is no Cluster {name}"
        if name in seen:
            yield f"{where}: {path}: {name} is said twice"
        seen.add(name)
    for path, name in zip(paths[1:], spec.to, strict=True):
        if not any({spec.cluster, name} <= set(members(each)) for each in catalogue.virtual_clusters.values()):
            yield f"{where}: {path}: no VirtualCluster has both {spec.cluster} and {name} among its clusters"


def _user_problems(catalogue: Catalogue) -> Iterator[str]:
    """Two users of one name would be one door with two keys."""
    seen: dict[str, str] = {}
    for user in catalogue.users.values():
        if user.username in seen:
            yield f"User {user.name}: spec.username: {user.username} is the name of User {seen[user.username]} already"
        seen.setdefault(user.username, user.name)


def _sni_problems(catalogue: Catalogue) -> Iterator[str]:
    """Listeners with host names may share a port, if every name leads to one of them."""
    named = [each for each in catalogue.listeners.values() if each.spec.sni is not None]
    for one, other in combinations(named, 2):
        assert one.spec.sni is not None
        assert other.spec.sni is not None
        if one.spec.bind != other.spec.bind:
            continue
        if one.spec.proxy_protocol != other.spec.proxy_protocol:
            yield (
                f"Listener {other.name}: spec.proxy_protocol: expected {one.spec.proxy_protocol}, as Listener "
                f"{one.name} on the same port has it; found {other.spec.proxy_protocol}"
            )
        if why := indistinct(one.spec.sni, other.spec.sni):
            yield f"Listener {other.name}: spec.sni: cannot be told from Listener {one.name} on {one.spec.bind}: {why}"


@dataclass(frozen=True)
class _Ports:
    """Ports that a listener wants on a host."""

    listener: str
    host: str
    first: int
    last: int
    what: str
    sni: bool = False

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.what} {ports}"

    def clashes(self, other: _Ports) -> bool:
        if self.sni and other.sni and self.host == other.host and self.first == other.first:
            return False
        same_host = self.host == other.host or self.host in ANY_HOST or other.host in ANY_HOST
        return same_host and self.first <= other.last and other.first <= self.last


def _port_problems(catalogue: Catalogue) -> Iterator[str]:
    for listener in catalogue.listeners.values():
        if parse_address(listener.spec.bind)[1] == 0:
            yield f"Listener {listener.name}: spec.bind: say the port, clients have to know it; found 0"
    wanted = [ports for listener in catalogue.listeners.values() for ports in _wanted(listener)]
    for one, other in combinations(wanted, 2):
        if one.clashes(other) and not (one.listener == other.listener and "pinned" in other.what):
            yield (
                f"Listener {other.listener}: its {other} clashes with the {one} of Listener {one.listener}: "
                "say broker_ports (first, count) so that they stay apart"
            )


def _wanted(listener: Listener) -> Iterator[_Ports]:
    host, port = parse_address(listener.spec.bind)
    if listener.spec.sni is not None:
        yield _Ports(listener.name, host, port, port, "port", sni=True)
        return
    brokers = listener.spec.ports()
    yield _Ports(listener.name, host, port, port, "bootstrap port")
    yield _Ports(listener.name, host, brokers.first, brokers.first + brokers.count - 1, "broker ports")
    for pinned in brokers.pinned.values():
        yield _Ports(listener.name, host, pinned, pinned, "pinned broker port")
