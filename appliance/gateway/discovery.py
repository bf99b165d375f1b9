"""What the gateway knows of each cluster, and finding out what it does not know yet.

A client may come straight to a node's door after a restart of the gateway, before any Metadata has passed: so the
gateway asks for itself, once per cluster, and again only after a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from appliance.exchange.route import Route, Target
from appliance.exchange.topology import Knowledge
from appliance.gateway.client import open_client
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable

_OFFER_SECONDS = 60.0
"""After which a cluster is asked again which versions it speaks: its brokers may have been upgraded."""


class Discovery:
    """Knowledge per cluster name. A cluster whose bootstrap addresses change is discovered anew."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._offered: dict[Target, tuple[float, Any]] = {}
        self._known: dict[Target, Knowledge] = {}
        self._taught: dict[tuple[str, Target], Mapping[bytes, str]] = {}
        """Route and cluster -> the topics that have been noted already, of which there may be thousands."""
        self._asking: dict[Target, trio.Lock] = {}
        self.failures: dict[str, str] = {}
        """Cluster name -> why it could not be asked last time."""

    def so_far(self, target: Target) -> Knowledge:
        """Return what is known of the cluster, perhaps nothing yet."""
        return self._known.setdefault(target, Knowledge(target.name))

    async def knowledge(self, target: Target) -> Knowledge:
        """Return what is known of the cluster, its id at least; ask it first if need be. Raises ClusterUnreachable."""
        known = self.so_far(target)
        if known.cluster_id is not None:
            return known
        async with self._asking.setdefault(target, trio.Lock()):
            if known.cluster_id is None:
                await self._ask(target, known)
        return known

    async def for_clients(self, route: Route) -> Knowledge:
        """Return what is known of a route's cluster, which is the topics that its clients may ask for as well. Raises
        ClusterUnreachable."""
        known = await self.knowledge(route.target)
        if self._taught.get((route.name, route.target)) is not route.topics:
            self._taught[route.name, route.target] = route.topics
            for topic_id, name in route.topics.items():
                known.learn_topic(topic_id, name)
        return known

    async def offered(self, target: Target) -> Any:
        """Return what the cluster says of its versions, at most a minute old: kio's ApiVersionsResponse.

        Where it does not answer now, what it said before. Raises ClusterUnreachable where it never said anything.
        """
        known = self._offered.get(target)
        if known is not None and trio.current_time() - known[0] < _OFFER_SECONDS:
            return known[1]
        async with self._asking.setdefault(target, trio.Lock()):
            latest = self._offered.get(target)
            if latest is not known and latest is not None:
                return latest[1]
            try:
                async with open_client(target, self._dialer) as client:
                    offer = await client.offered()
            except ClusterUnreachable:
                if known is None:
                    raise
                offer = known[1]
            self._offered[target] = (trio.current_time(), offer)
            return offer

    async def _ask(self, target: Target, known: Knowledge) -> None:
        try:
            async with open_client(target, self._dialer) as client:
                cluster_id, nodes = await client.nodes()
        except ClusterUnreachable as error:
            self.failures[target.name] = str(error)
            raise
        self.failures.pop(target.name, None)
        known.learn_nodes(nodes)
        known.cluster_id = cluster_id
