"""Listener: where clients of one virtual cluster come in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from appliance.resources.envelope import Address, DeclaredResource, Name, Spec, parse_address
from appliance.resources.limits import LimitsSpec


class BrokerPorts(Spec):
    """The deterministic map from node id to port: `first + id % count`, but for the ids in `pinned`.

    A pure function of the node id, so that restarts and replicas of the gateway agree without talking to each
    other. Two brokers of one cluster whose ids fall on one port cannot both be served: status says so and
    names the remedy (`pinned`).
    """

    first: int = Field(ge=1, le=65535)
    count: int = Field(default=1000, ge=1)
    pinned: dict[int, Annotated[int, Field(ge=1, le=65535)]] = Field(default_factory=dict)

    def port_of(self, node_id: int) -> int:
        """Return the port on which the broker with this node id is reached through the gateway."""
        return self.pinned.get(node_id, self.first + node_id % self.count)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.first + self.count - 1 > 65535:
            raise ValueError(f"first + count - 1 is {self.first + self.count - 1}: ports end at 65535")
        return self


class ListenerSpec(Spec):
    """One bootstrap port, and a port per broker, for one virtual cluster."""

    bind: Address
    """Address of the bootstrap port."""
    advertise: str | None = None
    """Host that clients are told; the bound host where absent."""
    virtual_cluster: Name
    broker_ports: BrokerPorts | None = None
    """Where absent: the ports after the bootstrap port, up to 1000 of them."""
    limits: LimitsSpec = LimitsSpec()

    def ports(self) -> BrokerPorts:
        """Return the map from node id to port that holds for this listener."""
        if self.broker_ports is not None:
            return self.broker_ports
        port = parse_address(self.bind)[1]
        return BrokerPorts(first=port + 1, count=min(1000, 65535 - port))

    @model_validator(mode="after")
    def _room_for_brokers(self) -> Self:
        host, port = parse_address(self.bind)
        if port == 65535 and self.broker_ports is None:
            raise ValueError("no port is left after 65535 for the brokers: say broker_ports")
        if self.advertise is None and host in ("0.0.0.0", "::"):  # noqa: S104 - refused here, not bound
            raise ValueError(f"clients cannot connect to {host}: say advertise, the host name that clients are told")
        return self


class Listener(DeclaredResource):
    kind: Literal["Listener"] = "Listener"
    spec: ListenerSpec
