"""What the gateway knows of each cluster, and finding out what it does not know yet.

A client may come straight to a node's door after a restart of the gateway, before any Metadata has passed: so the
gateway asks for itself, once per cluster, and again only after a failure.
"""

from __future__ import annotations

import trio

from appliance.exchange.snapshot import Target
from appliance.exchange.topology import Knowledge
from appliance.gateway.client import open_client
from appliance.gateway.errors import ClusterUnreachable


class Discovery:
    """Knowledge per cluster name. A cluster whose bootstrap addresses change is discovered anew."""

    def __init__(self) -> None:
        self._known: dict[Target, Knowledge] = {}
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

    async def _ask(self, target: Target, known: Knowledge) -> None:
        try:
            async with open_client(target) as client:
                cluster_id, nodes = await client.nodes()
        except ClusterUnreachable as error:
            self.failures[target.name] = str(error)
            raise
        self.failures.pop(target.name, None)
        known.learn_nodes(nodes)
        known.cluster_id = cluster_id
