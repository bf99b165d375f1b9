"""The data path of a gateway in this very process: editions are handed over on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import trio

from appliance.control.armoury import FaultCounts
from appliance.control.datapath import ClusterView, WorkerFacts
from appliance.control.edition import Edition
from appliance.control.snapshots import SnapshotMaker
from appliance.exchange.measures import Measures
from appliance.exchange.route import Target
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.server import Gateway, GatewayFacts
from appliance.gateway.snapshot import Snapshot
from appliance.policies.positions.hold_fetch import Held


class OneProcess:
    """A gateway with the maker of its snapshots; see DataPath. `monotonic` is a clock in seconds."""

    def __init__(
        self, gateway: Gateway, feed: SnapshotFeed, maker: SnapshotMaker, monotonic: Callable[[], float]
    ) -> None:
        self._gateway = gateway
        self._feed = feed
        self._maker = maker
        self._monotonic = monotonic
        self._started_at = monotonic()
        self._leaving = False
        self.edition = Edition(version=0)
        """The edition in effect."""

    def publish(self, edition: Edition) -> None:
        """See DataPath; in effect when this returns."""
        self.edition = edition
        snapshot = self._maker.make(edition)
        self._feed.publish(_closed(snapshot) if self._leaving else snapshot)

    async def in_effect(self, version: int) -> None:
        """See DataPath."""
        await trio.lowlevel.checkpoint()
        assert version <= self.edition.version

    async def refresh(self) -> None:
        """See DataPath: everything is read where it happens."""
        await trio.lowlevel.checkpoint()

    def facts(self) -> GatewayFacts:
        """See DataPath."""
        return replace(self._gateway.facts(), snapshot_version=self.edition.version)

    def writes_in_flight(self, virtual_cluster: str) -> int:
        """See DataPath."""
        return self._gateway.writes_in_flight(virtual_cluster)

    def overdue_writes(self, virtual_cluster: str) -> int:
        """See DataPath."""
        return self._gateway.overdue_writes(virtual_cluster)

    def held_fetches(self, virtual_cluster: str) -> list[Held]:
        """See DataPath."""
        return self._maker.held(virtual_cluster)

    def fault_counts(self, arming: int) -> FaultCounts:
        """See DataPath."""
        return self._maker.armoury.counts_of(arming)

    async def measures(self) -> Measures:
        """See DataPath."""
        await trio.lowlevel.checkpoint()
        return self._gateway.measures()

    def workers(self) -> tuple[WorkerFacts, ...]:
        """See DataPath."""
        connections = sum(self._gateway.facts().connections.values())
        uptime = self._monotonic() - self._started_at
        silence = self._gateway.silence
        return (WorkerFacts(1, os.getpid(), self.edition.version, connections, uptime, restarts=0, silence=silence),)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the doors and serve until cancelled. Raises PortTaken."""
        await self._gateway.serve(task_status=task_status)

    @property
    def ready(self) -> bool:
        """Whether clients are taken in."""
        return not self._leaving

    async def drain(self, seconds: float) -> None:
        """Take no more clients, hold writes, and close the connections node by node, each when its writes are answered.

        Within so many seconds; a connection whose writes are not answered by then is closed all the same.
        """
        self._leaving = True
        self.publish(self.edition)
        await self._gateway.drain(seconds)

    async def move_clients(self, virtual_cluster: str, *, pause: float = 0.2) -> int:
        """See DataPath; `pause` is between nodes, in seconds."""
        return await self._gateway.move_clients(virtual_cluster, pause=pause)

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterView]:
        """See DataPath."""
        return self._gateway.cluster_client(target)


def _closed(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without doors, and with every fence closed."""
    routes = {name: replace(route, fenced=True) for name, route in snapshot.routes.items()}
    return replace(snapshot, routes=routes, doors=())
