"""Listener: where clients of one virtual cluster come in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from appliance.resources.envelope import Address, DeclaredResource, Name, Spec, parse_address
from appliance.resources.limits import LimitsSpec
from appliance.resources.listener_authentication import ListenerAuthentication
from appliance.resources.listener_tls import ListenerTls
from appliance.resources.sni import NODE_ID, Sni, broker_pattern


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


def _off(value: object) -> object:
    """Take `off` without quotes: YAML 1.1 reads it as false."""
    return "off" if value is False else value


ProxyProtocol = Annotated[Literal["off", "required"], BeforeValidator(_off)]


class ListenerSpec(Spec):
    """One bootstrap port, and a port per broker (or one port for all, with `sni`), for one virtual cluster."""

    bind: Address
    """Address of the bootstrap port."""
    advertise: str | None = None
    """Host that clients are told; the bound host where absent. With `{node_id}` in it: a host per broker."""
    virtual_cluster: Name
    broker_ports: BrokerPorts | None = None
    """Where absent: the ports after the bootstrap port, up to 1000 of them."""
    sni: Sni | None = None
    """One port for all brokers, told apart by host name; needs `tls`."""
    tls: ListenerTls | None = None
    authentication: ListenerAuthentication | None = None
    """How clients prove who they are; delegated to the broker where absent."""
    proxy_protocol: ProxyProtocol = "off"
    """`required`: every connection begins with a PROXY header (v1 or v2) of the load balancer in front; the address in
    it is the client's. Only a load balancer must be able to reach such a listener."""
    limits: LimitsSpec = LimitsSpec()

    def ports(self) -> BrokerPorts:
        """Return the map from node id to port that holds for this listener."""
        if self.broker_ports is not None:
            return self.broker_ports
        port = parse_address(self.bind)[1]
        return BrokerPorts(first=port + 1, count=min(1000, 65535 - port))

    def advertised(self, node_id: int | None) -> tuple[str, int]:
        """Return host and port that clients are told for a broker; None: for the bootstrap address."""
        host, port = parse_address(self.bind)
        if self.sni is not None:
            name = self.sni.bootstrap if node_id is None else self.sni.broker_host(node_id)
            return name, self.sni.port or port
        if self.advertise is not None and NODE_ID not in self.advertise:
            host = self.advertise
        if node_id is None:
            return host, port
        return (self.advertise or host).replace(NODE_ID, str(node_id)), self.ports().port_of(node_id)

    @model_validator(mode="after")
    def _one_way_to_brokers(self) -> Self:
        if self.advertise is not None and "{" in self.advertise:
            broker_pattern(self.advertise)
        if self.sni is None:
            return self
        if self.broker_ports is not None:
            raise ValueError("broker_ports and sni: brokers have a port each, or one port and a host name each")
        if self.advertise is not None:
            raise ValueError("advertise and sni: the host names of sni are what clients are told")
        if self.tls is None:
            raise ValueError("sni: host names are told in the TLS handshake: add tls")
        return self

    @model_validator(mode="after")
    def _provable(self) -> Self:
        asked = self.authentication
        if asked is None:
            return self
        if asked.certificate and (self.tls is None or self.tls.client_auth != "required"):
            raise ValueError("authentication.certificate: needs tls with client_auth: required")
        if asked.exposed and self.tls is None and not asked.allow_without_tls:
            raise ValueError(
                f"authentication: {', '.join(asked.exposed)} without tls lets others read what proves a client: "
                "add tls, or say allow_without_tls: true"
            )
        return self

    @model_validator(mode="after")
    def _room_for_brokers(self) -> Self:
        host, port = parse_address(self.bind)
        if self.sni is not None:
            return self
        if port == 65535 and self.broker_ports is None:
            raise ValueError("no port is left after 65535 for the brokers: say broker_ports")
        if self.advertise is None and host in ("0.0.0.0", "::"):  # noqa: S104 - refused here, not bound
            raise ValueError(f"clients cannot connect to {host}: say advertise, the host name that clients are told")
        return self


class Listener(DeclaredResource):
    kind: Literal["Listener"] = "Listener"
    spec: ListenerSpec
