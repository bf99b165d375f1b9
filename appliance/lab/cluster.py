"""A running cluster of a lab: its brokers, and what can be done to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import trio

from appliance.lab.admin import create_topic, wait_ready
from appliance.lab.brokers import Broker, Node
from appliance.lab.errors import LabError

_READY = 90.0
"""Seconds for a cluster to be ready; 2 to 6 on an idle machine, so that a machine under load is not called a failure."""


class Cluster:
    """A cluster whose brokers can be killed, stopped, paused and started again, one (`node_id`) or all (None).

    Every action is idempotent: killing a stopped broker or resuming a running one does nothing. An unknown node id
    raises LabError. Each returns when it has happened; `start` when the brokers serve.
    """

    def __init__(self, name: str, nodes: Iterable[Node]) -> None:
        self.name = name
        self._nodes = {node.node_id: node for node in nodes}

    @property
    def bootstrap(self) -> list[str]:
        """All brokers' addresses, `127.0.0.1:port`; the same for the lab's whole life."""
        return [node.address for node in self._nodes.values()]

    @property
    def brokers(self) -> Mapping[int, Broker]:
        """Node id -> the broker as it is now."""
        return {node_id: Broker(node_id, node.address, node.state) for node_id, node in self._nodes.items()}

    @property
    def replication_factor(self) -> int:
        """What topics get where nothing else is said: 3 with three brokers or more (two must be in sync), otherwise 1."""
        return 3 if len(self._nodes) >= 3 else 1

    async def kill(self, node_id: int | None = None) -> None:
        """End at once (SIGKILL), as a power failure does. An embedded broker loses its records."""
        await self._each(self._chosen(node_id), lambda node: node.kill)

    async def stop(self, node_id: int | None = None) -> None:
        """End gracefully (SIGTERM); leaders are handed over first. What has not ended after 10 s is killed."""
        await self._each(self._chosen(node_id), lambda node: node.stop)

    async def pause(self, node_id: int | None = None) -> None:
        """Freeze (SIGSTOP): connections stay open, nothing answers."""
        await self._each(self._chosen(node_id), lambda node: node.pause)

    async def resume(self, node_id: int | None = None) -> None:
        """Go on from a pause (SIGCONT). Does not wait until the cluster has taken the broker back."""
        await self._each(self._chosen(node_id), lambda node: node.resume)

    async def start(self, node_id: int | None = None) -> None:
        """Start what is stopped, on its old address and data, and wait until it serves. Raises BrokerFailed."""
        started = [node for node in self._chosen(node_id) if node.state == "stopped"]
        if not started:
            return
        await self._each(started, lambda node: node.launch)
        await wait_ready(
            self.name,
            {node.node_id: node.address for node in started},
            [node.node_id for node in self._nodes.values() if node.state == "running"],
            fallen=lambda: self._fallen(started),
            deadline=_READY,
        )

    async def create_topic(
        self,
        name: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replication_factor: int | None = None,
    ) -> None:
        """Create a topic and wait until all partitions have leaders. Raises LabError, also where it exists."""
        await create_topic(
            self.bootstrap,
            name,
            partitions=partitions,
            replication_factor=replication_factor or self.replication_factor,
            configs=configs or {},
        )

    def _chosen(self, node_id: int | None) -> Sequence[Node]:
        if node_id is None:
            return list(self._nodes.values())
        if node_id not in self._nodes:
            raise LabError(f"cluster {self.name}: expected one of the brokers {sorted(self._nodes)}, found {node_id}")
        return [self._nodes[node_id]]

    async def _each(self, nodes: Collection[Node], action: Callable[[Node], Callable[[], Awaitable[None]]]) -> None:
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(action(node))

    def _fallen(self, nodes: Iterable[Node]) -> str | None:
        for node in nodes:
            if node.state == "stopped":
                return (
                    f"cluster {self.name}: expected broker {node.node_id} to run, found that it ended; {node.autopsy()}"
                )
        return None
