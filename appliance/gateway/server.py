"""The gateway: doors that follow the snapshots, a host for each client that comes in, and what control asks of both."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import trio

from appliance.exchange.measures import Labels, Measures, merged
from appliance.exchange.route import Route, Target
from appliance.exchange.topology import HostPort, Knowledge
from appliance.gateway.audit import audit
from appliance.gateway.certificates import Certificates
from appliance.gateway.client import ClusterClient, open_client
from appliance.gateway.clientele import Clientele, ClientKind, clientele_of
from appliance.gateway.credentials import Credentials
from appliance.gateway.dialer import Dialer
from appliance.gateway.discovery import Discovery
from appliance.gateway.doors import Doors
from appliance.gateway.errors import ClusterUnreachable, PortTaken
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.heartbeat import Heartbeat
from appliance.gateway.host import Host
from appliance.gateway.parting import part, part_when_quiet
from appliance.gateway.reactor import Reactor
from appliance.gateway.secrets import Secrets
from appliance.gateway.session import Session
from appliance.gateway.shares import Shares
from appliance.gateway.snapshot import Door, Snapshot
from appliance.gateway.stand_in import may_stand_in, stand_in, until_answered
from appliance.identity.policy import why_invalid

_LOOK_SECONDS = 1.0
"""Between two looks at who is idle or too slow."""
_FIRST_LOOK_SECONDS = 2.0
"""How long the first doors wait for the nodes of their clusters."""
_RETRY_SECONDS = 2.0
"""Between two attempts to learn the nodes of a cluster that does not answer."""
_NEW_SIDE_SECONDS = 5.0
"""How long those who are to be moved wait for the nodes of the cluster that serves now; writes are held meanwhile."""

log = logging.getLogger("tidegate.gateway")


def _unix_time() -> float:
    return datetime.now(UTC).timestamp()


@dataclass(frozen=True)
class GatewayFacts:
    """What the gateway does right now, for status."""

    snapshot_version: int
    connections: Mapping[tuple[str, str, int | None], int]
    """(virtual cluster, cluster, node id or None for the bootstrap) -> client connections."""
    clusters: Mapping[str, tuple[str | None, Mapping[int, HostPort]]]
    """Cluster -> its id, and its nodes' real addresses, as far as known."""
    failures: Mapping[str, str]
    """Cluster -> why it could not be asked last time."""
    doors: tuple[HostPort, ...]
    clients: Mapping[ClientKind, Clientele] = field(default_factory=dict)


class Gateway:
    """Serves the doors of the feed's snapshots; one per process. `wall` gives Unix time in seconds."""

    def __init__(self, feed: SnapshotFeed, *, wall: Callable[[], float] = _unix_time) -> None:
        self._feed = feed
        self._wall = wall
        self._reactor = Reactor()
        self._heartbeat = Heartbeat(self._reactor)
        self._shares = Shares()
        secrets = Secrets()
        self._certificates = Certificates(secrets)
        self._dialer = Dialer(self._certificates, Credentials(secrets, wall))
        self._discovery = Discovery(self._dialer)
        self._host = Host(
            feed,
            reactor=self._reactor,
            shares=self._shares,
            certificates=self._certificates,
            dialer=self._dialer,
            discovery=self._discovery,
            open_doors=self._open_node_doors,
            wall=wall,
        )
        self._doors: Doors | None = None
        self._told: set[str] = set()
        """Doors that could not be opened, in the words in which the operator was told."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open all doors of the current snapshot and serve until cancelled, following later snapshots.

        The nodes' doors open together with the bootstrap where the cluster answers at once: a worker whose doors to
        the nodes came later would leave all who come meanwhile, for as long as they stay, to the others.

        Raises PortTaken and TlsUnusable for doors of the first snapshot; those of later ones are logged.
        """
        with closing(self._reactor):
            await self._serve(task_status)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._reactor.run)
            await nursery.start(self._heartbeat.run)
            self._doors = Doors(nursery, self._host.serve, self._shares.pause)
            snapshot = self._feed.current
            for door in snapshot.doors:
                if door.spec.tls is not None:
                    await self._certificates.of_listener(door.name, door.spec.tls)
            await self._first_look(snapshot)
            for door in snapshot.doors:
                self._doors.open(door)
            self._open_node_doors()
            nursery.start_soon(self._follow, snapshot, nursery)
            nursery.start_soon(self._watch_over_the_slow)
            task_status.started()

    async def _first_look(self, snapshot: Snapshot) -> None:
        """Ask each cluster once for its nodes, for a while; who does not answer is asked again while serving."""

        async def look(target: Target) -> None:
            with suppress(ClusterUnreachable):  # told when it is asked again
                await self._discovery.knowledge(target)

        with trio.move_on_after(_FIRST_LOOK_SECONDS):
            async with trio.open_nursery() as nursery:
                for target in {route.target for route in snapshot.routes.values()}:
                    nursery.start_soon(look, target)

    async def _follow(self, snapshot: Snapshot, nursery: trio.Nursery) -> None:
        learning: set[Target] = set()

        async def learn(target: Target) -> None:
            await self._learn(target)
            learning.discard(target)

        while True:
            for target in {route.target for route in snapshot.routes.values()} - learning:
                learning.add(target)
                nursery.start_soon(learn, target)
            snapshot = await self._feed.wait_newer(snapshot.version)
            self._adopt(snapshot)

    def _adopt(self, snapshot: Snapshot) -> None:
        assert self._doors is not None
        self._doors.close_all_but(snapshot.doors)
        for door in snapshot.doors:
            self._open_later(door)
        self._open_node_doors()
        doors = {door.name: door for door in snapshot.doors}
        for session in list(self._host.sessions):
            route = snapshot.routes.get(session.door.virtual_cluster)
            if route is None:
                session.end("removed")
            elif session.ending is None and session.target is not None and session.target.name in route.outages:
                session.end("outage")
            else:
                self._end_if_revoked(session, doors.get(session.door.name))

    def _end_if_revoked(self, session: Session, door: Door | None) -> None:
        if door is None or door.identity is None or session.principal is None or session.ending is not None:
            return
        reason = why_invalid(session.principal, door.identity, self._wall())
        if reason is not None:
            audit("sent away", listener=door.name, peer=session.peer, principal=str(session.principal), reason=reason)
            session.end("revoked")

    async def _learn(self, target: Target) -> None:
        """Learn a cluster's nodes and open their doors; try again until it answers or nobody is routed to it."""
        while any(route.target == target for route in self._feed.current.routes.values()):
            try:
                await self._discovery.knowledge(target)
            except ClusterUnreachable as error:
                log.warning("%s", error)
                await trio.sleep(_RETRY_SECONDS)
            else:
                self._open_node_doors()
                return

    def _open_node_doors(self) -> None:
        snapshot = self._feed.current
        for door in snapshot.doors:
            route = snapshot.routes.get(door.virtual_cluster)
            for node_id in self._discovery.so_far(route.target).nodes if route else ():
                self._open_later(door, node_id)

    def _open_later(self, door: Door, node_id: int | None = None) -> None:
        """Open a door while serving: one that cannot be opened is told once, and tried again on occasion."""
        assert self._doors is not None
        try:
            self._doors.open(door, node_id)
        except PortTaken as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                log.error("%s", error)

    async def _watch_over_the_slow(self) -> None:
        """Close connections that carry nothing, or hold an unfinished message, longer than they may."""
        while True:
            await trio.sleep(_LOOK_SECONDS)
            self._shares.end_the_slow(self._feed.current.doors)
            now = self._reactor.clock()
            for session in list(self._host.sessions):
                idle = session.door.spec.limits.idle
                if idle is not None and session.pair is not None and now - session.pair.active_at > idle:
                    session.end("idle")

    # -- for control

    def facts(self) -> GatewayFacts:
        """Return what the gateway does right now."""
        snapshot = self._feed.current
        counts: Counter[tuple[str, str, int | None]] = Counter(
            (session.door.virtual_cluster, session.target.name, session.node_id)
            for session in self._host.sessions
            if session.target
        )
        targets = {route.target for route in snapshot.routes.values()}
        known = {target.name: self._discovery.so_far(target) for target in targets}
        return GatewayFacts(
            snapshot.version,
            counts,
            {name: (each.cluster_id, dict(each.nodes)) for name, each in known.items()},
            dict(self._discovery.failures),
            tuple(self._doors.addresses if self._doors else ()),
            clientele_of(self._host.sessions),
        )

    @property
    def silence(self) -> float:
        """Seconds since the data path has last shown that it turns."""
        return self._heartbeat.silence

    def measures(self) -> Measures:
        """Return what has been counted since the start, and what is in hand right now."""
        connections: Counter[Labels] = Counter()
        in_flight: Counter[Labels] = Counter()
        for session in self._host.sessions:
            connections[session.door.name, session.door.virtual_cluster] += 1
            in_flight[(session.door.virtual_cluster,)] += len(session.exchange.ledger) if session.exchange else 0
        now = Measures(
            open=tuple(connections.items()),
            in_flight=tuple(in_flight.items()),
            buffered=self._shares.buffered,
        )
        return merged([self._host.meters.readings(), self._host.tallies.readings(), now])

    def writes_in_flight(self, virtual_cluster: str) -> int:
        """Return how many writes of this virtual cluster went upstream and have no answer yet."""
        return sum(
            each.writes_in_flight for each in self._host.sessions if each.door.virtual_cluster == virtual_cluster
        )

    def overdue_writes(self, virtual_cluster: str) -> int:
        """Return how many connections have writes from before a switch that are still to be written behind it."""
        return sum(each.writes_overdue for each in self._host.sessions if each.door.virtual_cluster == virtual_cluster)

    async def move_clients(self, virtual_cluster: str, *, pause: float = 0.2) -> int:
        """Close the connections to clusters that the route has left, node by node with a pause between; those that
        have writes at the fence later, when these are written (`stand_in`). Return how many there are.

        Also where the new cluster does not answer: nobody is to stay with one that serves no more.
        """
        route = self._feed.current.routes[virtual_cluster]
        knowledge = await self._new_sides_nodes(route)
        self._open_node_doors()
        astray = [
            each
            for each in self._host.sessions
            if each.door.virtual_cluster == virtual_cluster and each.target is not None and each.target != route.target
        ]
        staying = set[Session]()
        if knowledge is not None and route.held_writes_go_on:
            await until_answered(astray)
            staying = {each for each in astray if may_stand_in(each)}
            for each in staying:
                stand_in(each, route.target, knowledge, self._dialer)
        return len(staying) + await part([each for each in astray if each not in staying], "moved", pause)

    async def _new_sides_nodes(self, route: Route) -> Knowledge | None:
        """Return what is known of a route's cluster, asked for if need be; None where it does not answer in time."""
        with trio.move_on_after(_NEW_SIDE_SECONDS):
            try:
                return await self._discovery.for_clients(route)
            except ClusterUnreachable as error:
                log.warning("%s", error)
        return None

    async def drain(self, seconds: float, *, pause: float = 0.2) -> int:
        """Take no new connections, and end those that stand, node by node, each when it is quiet or at the deadline;
        return how many."""
        assert self._doors is not None
        self._doors.close_all_but(())
        return await part_when_quiet(self._host.sessions, "drained", pause, trio.current_time() + seconds)

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterClient]:
        """Open a client of the gateway's own to this cluster."""
        return open_client(target, self._dialer)


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Serve for the length of a block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        yield gateway
        nursery.cancel_scope.cancel()
