"""A configuration of the gateway: immutable, published whole by `control`, read by every connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.exchange.route import Route
from appliance.exchange.topology import HostPort
from appliance.identity.policy import IdentityPolicy
from appliance.resources.envelope import parse_address
from appliance.resources.listener import BrokerPorts, ListenerSpec


@dataclass(frozen=True)
class Door:
    """A listener: where clients of one virtual cluster come in, and who may."""

    name: str
    spec: ListenerSpec
    identity: IdentityPolicy | None = None
    """Who may come in, where the gateway asks; None: everyone, or the broker asks."""
    shared: bool = False
    """Other processes open the same ports, and the kernel deals out what comes."""

    @property
    def virtual_cluster(self) -> str:
        """The virtual cluster that its clients see."""
        return self.spec.virtual_cluster

    @property
    def address(self) -> HostPort:
        """Where the bootstrap port is bound."""
        return parse_address(self.spec.bind)

    def bound(self, node_id: int | None) -> HostPort:
        """Return where a broker's port is bound; None: the bootstrap port. All are one where names tell them apart."""
        host, port = self.address
        if node_id is None or self.spec.sni is not None:
            return host, port
        return host, self.brokers.port_of(node_id)

    @property
    def brokers(self) -> BrokerPorts:
        """The map from node id to port."""
        return self.spec.ports()


@dataclass(frozen=True)
class Snapshot:
    version: int
    routes: Mapping[str, Route]
    """By name of the virtual cluster."""
    doors: tuple[Door, ...] = ()
