"""The gateway: doors that follow the snapshots, and a session for each client that comes in."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.interceptor import Outage
from appliance.exchange.limits import Limits
from appliance.exchange.message import NOBODY, Peer
from appliance.exchange.snapshot import Door, Route, Snapshot, Target
from appliance.exchange.topology import HostPort, Knowledge
from appliance.gateway.buffers import REQUEST_BYTES, RESPONSE_BYTES, Buffers
from appliance.gateway.client import ClusterClient, open_client
from appliance.gateway.discovery import Discovery
from appliance.gateway.doors import Doors
from appliance.gateway.errors import ClusterUnreachable, PortTaken
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.pair import Pair
from appliance.gateway.session import Session
from appliance.gateway.sockets import connect, receive_nowait, reset
from appliance.wire.errors import Malformed

_CONNECT_SECONDS = 10.0
_RETRY_SECONDS = 2.0
"""Between two attempts to learn the nodes of a cluster that does not answer."""

log = logging.getLogger("tidegate.gateway")


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


class Gateway:
    """Serves the doors of the feed's snapshots; one per process."""

    def __init__(self, feed: SnapshotFeed, *, limits: Limits | None = None) -> None:
        self._feed = feed
        self._limits = limits or Limits()
        self._request_buffers = Buffers(REQUEST_BYTES)
        self._response_buffers = Buffers(RESPONSE_BYTES)
        self._discovery = Discovery()
        self._sessions: set[Session] = set()
        self._doors: Doors | None = None
        self._told: set[str] = set()
        """Doors that could not be opened, in the words in which the operator was told."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open all doors of the current snapshot and serve until cancelled, following later snapshots.

        Raises PortTaken where a door of the first snapshot cannot be opened; later ones are logged.
        """
        async with trio.open_nursery() as nursery:
            self._doors = Doors(nursery, self._serve_client)
            snapshot = self._feed.current
            for door in snapshot.doors:
                self._doors.open(door)
            nursery.start_soon(self._follow, snapshot, nursery)
            task_status.started()

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
        for session in list(self._sessions):
            route = snapshot.routes.get(session.door.virtual_cluster)
            if route is None:
                session.end("removed")
            elif session.ending is None and session.target is not None and session.target.name in route.outages:
                session.end("outage")

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

    # -- one client

    async def _serve_client(self, door: Door, node_id: int | None, sock: socket.socket) -> None:
        session = Session(door, node_id, sock, _peer(sock))
        self._sessions.add(session)
        try:
            with session.scope:
                await self._connect_and_pump(session)
            if session.ending == "outage":
                await self._suffer(session)
        except Malformed as error:
            log.warning("%s: %s", _described(session), error)
        except OSError as error:
            log.debug("%s: %s", _described(session), error)
        except Exception:
            log.exception("%s: closed by an error of the gateway's own", _described(session))
        finally:
            self._sessions.discard(session)
            sock.close()

    async def _connect_and_pump(self, session: Session) -> None:
        route = self._route(session)
        if route is None:
            return
        session.target = route.target
        if route.outage is not None:
            session.end("outage")
            return
        try:
            knowledge = await self._discovery.knowledge(route.target)
            upstream = await self._connect_upstream(session, route.target, knowledge)
        except ClusterUnreachable as error:
            log.warning("client %s on listener %s: %s", session.peer, session.door.name, error)
            return
        self._open_node_doors()
        with upstream:
            host, _, port = session.peer.rpartition(":")
            peer = Peer(host, int(port)) if host else NOBODY
            session.exchange = Exchange(route, knowledge, Advertiser(session.door), self._limits, peer)
            pair = Pair(
                session.sock,
                upstream,
                session.exchange,
                feed=self._feed,
                request_buffers=self._request_buffers,
                response_buffers=self._response_buffers,
                open_doors=self._open_node_doors,
            )
            await pair.run()

    def _route(self, session: Session) -> Route | None:
        return self._feed.current.routes.get(session.door.virtual_cluster)

    async def _connect_upstream(self, session: Session, target: Target, knowledge: Knowledge) -> socket.socket:
        """Connect to the session's node. One that the cluster does not have (any more) leads to any node: there the
        client learns from Metadata, or from NOT_LEADER_OR_FOLLOWER, where to go."""
        address = knowledge.nodes.get(session.node_id) if session.node_id is not None else None
        candidates = [address] if address else [*target.bootstrap, *knowledge.nodes.values()]
        what = f"node {session.node_id}" if address else "any node"
        failures = []
        for host, port in dict.fromkeys(candidates):
            try:
                return await connect(host, port, seconds=_CONNECT_SECONDS)
            except OSError as error:
                failures.append(f"{host}:{port}: {error.strerror or error}")
        raise ClusterUnreachable(f"cluster {target.name}, {what}: {'; '.join(failures)}")

    async def _suffer(self, session: Session) -> None:
        """Let the client feel that the cluster is gone: its upstream connection is closed already."""
        outage = self._outage(session)
        if outage is None:
            return
        outage.struck(session.client_id)
        if outage.mode == "reset":
            reset(session.sock)
        elif outage.mode == "blackhole":
            # It can still be moved or removed.
            with trio.CancelScope() as session.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._cancel_after_outage, session, nursery.cancel_scope)
                    await _swallow(session.sock)
                    nursery.cancel_scope.cancel()

    def _outage(self, session: Session) -> Outage | None:
        route = self._route(session)
        return route.outages.get(session.target.name) if route and session.target else None

    async def _cancel_after_outage(self, session: Session, scope: trio.CancelScope) -> None:
        while self._outage(session) is not None:
            await self._feed.wait_newer(self._feed.current.version)
        scope.cancel()

    # -- for control

    def facts(self) -> GatewayFacts:
        """Return what the gateway does right now."""
        snapshot = self._feed.current
        counts: Counter[tuple[str, str, int | None]] = Counter(
            (session.door.virtual_cluster, session.target.name, session.node_id)
            for session in self._sessions
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
        )

    def writes_in_flight(self, virtual_cluster: str) -> int:
        """Return how many writes of this virtual cluster went upstream and have no answer yet."""
        return sum(each.writes_in_flight for each in self._sessions if each.door.virtual_cluster == virtual_cluster)

    async def move_clients(self, virtual_cluster: str, *, pause: float = 0.2) -> int:
        """Close the connections to clusters that the route has left, node by node with a pause between; return how
        many.

        Not all at once: librdkafka reports ALL_BROKERS_DOWN when every connection breaks together.
        """
        route = self._feed.current.routes[virtual_cluster]
        await self._discovery.knowledge(route.target)
        self._open_node_doors()
        astray = [
            each
            for each in self._sessions
            if each.door.virtual_cluster == virtual_cluster and each.target is not None and each.target != route.target
        ]
        by_node: dict[int | None, list[Session]] = {}
        for session in astray:
            by_node.setdefault(session.node_id, []).append(session)
        for position, sessions in enumerate(by_node.values()):
            if position:
                await trio.sleep(pause)
            for session in sessions:
                session.end("moved")
        return len(astray)

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterClient]:
        """Open a client of the gateway's own to this cluster."""
        return open_client(target)


class Advertiser:
    """Where clients of one door are told that nodes are."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, node_id: int | None) -> HostPort:
        return self._door.advertise, self._door.port if node_id is None else self._door.brokers.port_of(node_id)


async def _swallow(sock: socket.socket) -> None:
    """Read and forget until the client gives up."""
    sink = memoryview(bytearray(65536))
    with suppress(OSError):
        while (count := receive_nowait(sock, sink)) != 0:
            if count is None:
                await trio.lowlevel.wait_readable(sock)
            else:
                await trio.lowlevel.checkpoint()


def _described(session: Session) -> str:
    named = f" ({session.client_id})" if session.client_id else ""
    node = "" if session.node_id is None else f", node {session.node_id}"
    cluster = f" to cluster {session.target.name}{node}" if session.target else ""
    return f"client {session.peer}{named} on listener {session.door.name}{cluster}"


def _peer(sock: socket.socket) -> str:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "gone already"
    return f"{host}:{port}"


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Serve for the length of a block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        yield gateway
        nursery.cancel_scope.cancel()
