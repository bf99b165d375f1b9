"""A virtual cluster as the data path sees it: immutable, part of a snapshot.

A request keeps the route that it began with. Nothing in here is looked up twice: what a connection needs to know of its
virtual cluster is in its `Route`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from appliance.exchange.chain import Chain
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.resources.cluster_security import ClusterAuthentication, ClusterTls

NOTHING: Mapping[str, Outage] = MappingProxyType({})
NO_TOPICS: Mapping[bytes, str] = MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """A real cluster, as the data path needs it."""

    name: str
    bootstrap: tuple[tuple[str, int], ...]
    tls: ClusterTls | None = field(default=None, compare=False)
    authentication: ClusterAuthentication | None = field(default=None, compare=False)
    """How the gateway gets in. Not compared: with other credentials it is the same cluster, and connections stay."""


@dataclass(frozen=True)
class Route:
    """A virtual cluster: where it goes, and what happens on the way."""

    name: str
    target: Target
    """The cluster that serves it now."""
    interceptors: tuple[Interceptor, ...] = ()
    """In order for requests, in reverse for responses."""
    fenced: bool = False
    """Writes are held at the gateway until a snapshot without the fence comes."""
    newcomers_wait: bool = False
    """Clients that connect are not served until such a snapshot comes either."""
    held_writes_go_on: bool = True
    """What is held when another cluster comes to serve is written there for the clients (`gateway.stand_in`)."""
    topics: Mapping[bytes, str] = field(default_factory=lambda: NO_TOPICS)
    """Topic ids that clients may ask for without having asked this cluster for Metadata, and the topics' names."""
    outages: Mapping[str, Outage] = field(default_factory=lambda: NOTHING)
    """Cluster name -> the outage that a fault imposes on it."""

    @cached_property
    def chain(self) -> Chain:
        """The interceptors, sorted by what they want."""
        return Chain(self.interceptors)

    @property
    def outage(self) -> Outage | None:
        """The outage of the cluster that serves the route now, if a fault imposes one."""
        return self.outages.get(self.target.name)
