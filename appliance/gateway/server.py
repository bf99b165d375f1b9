"""The gateway: doors that follow the snapshots, and a session for each client that comes in."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.interceptor import Outage
from appliance.exchange.limits import Limits
from appliance.exchange.measures import Labels, Measures, merged
from appliance.exchange.message import NOBODY, Peer, Question
from appliance.exchange.metadata_answers import MetadataAnswers
from appliance.exchange.meters import Meters
from appliance.exchange.route import Route, Target
from appliance.exchange.step import NotAuthenticated, Refused
from appliance.exchange.topology import HostPort, Knowledge
from appliance.gateway.admission import Admission
from appliance.gateway.audit import audit
from appliance.gateway.budget import Budget
from appliance.gateway.buffers import REQUEST_BYTES, RESPONSE_BYTES, Buffers, Memory
from appliance.gateway.certificates import Certificates
from appliance.gateway.client import ClusterClient, open_client
from appliance.gateway.credentials import Credentials
from appliance.gateway.dialer import Dialer, Dialled
from appliance.gateway.discovery import Discovery
from appliance.gateway.doors import Doors
from appliance.gateway.errors import ClusterUnreachable, GatewayError, PortTaken
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.heartbeat import Heartbeat
from appliance.gateway.login import Logins, Outcome
from appliance.gateway.pair import Pair
from appliance.gateway.reactor import Reactor
from appliance.gateway.reception import Reception
from appliance.gateway.renewal import stay_logged_in
from appliance.gateway.secrets import Secrets
from appliance.gateway.session import Session
from appliance.gateway.snapshot import Door, Snapshot
from appliance.gateway.suffering import suffer
from appliance.gateway.tallies import Tallies
from appliance.identity.policy import ANONYMOUS, why_invalid
from appliance.wire.errors import Malformed

_CONNECT_SECONDS = 10.0
_DRAIN_LOOK_SECONDS = 0.05
_LOOK_SECONDS = 1.0
"""Between two looks at who is idle or too slow."""
_RETRY_SECONDS = 2.0
"""Between two attempts to learn the nodes of a cluster that does not answer."""

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


class _Listener:
    """What the connections of one listener share, across all its doors and for as long as there is any."""

    def __init__(self, door: Door, requests: Buffers, responses: Buffers) -> None:
        self.admission = Admission()
        self.memory = Memory(Budget(door.spec.limits.buffered), requests, responses)
        self.metadata_answers = MetadataAnswers(Reactor.clock)


class Gateway:
    """Serves the doors of the feed's snapshots; one per process. `wall` gives Unix time in seconds."""

    def __init__(self, feed: SnapshotFeed, *, wall: Callable[[], float] = _unix_time) -> None:
        self._feed = feed
        self._wall = wall
        self._request_buffers = Buffers(REQUEST_BYTES)
        self._response_buffers = Buffers(RESPONSE_BYTES)
        self._listeners: dict[str, _Listener] = {}
        self._reactor = Reactor()
        self._heartbeat = Heartbeat(self._reactor)
        secrets = Secrets()
        self._certificates = Certificates(secrets)
        self._dialer = Dialer(self._certificates, Credentials(secrets, wall))
        self._discovery = Discovery(self._dialer)
        self._meters = Meters()
        self._tallies = Tallies()
        self._logins = Logins(wall, self._tallies)
        self._reception = Reception(
            self._certificates,
            self._logins,
            admission=lambda door: self._listener(door).admission,
            current=self._current_door,
            offered=self._offered,
        )
        self._sessions: set[Session] = set()
        self._doors: Doors | None = None
        self._told: set[str] = set()
        """Doors that could not be opened, in the words in which the operator was told."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open all doors of the current snapshot and serve until cancelled, following later snapshots.

        Raises PortTaken and TlsUnusable for doors of the first snapshot; those of later ones are logged.
        """
        with closing(self._reactor):
            await self._serve(task_status)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._reactor.run)
            await nursery.start(self._heartbeat.run)
            self._doors = Doors(nursery, self._serve_client, self._pause_before_next)
            snapshot = self._feed.current
            for door in snapshot.doors:
                if door.spec.tls is not None:
                    await self._certificates.of_listener(door.name, door.spec.tls)
                self._doors.open(door)
            nursery.start_soon(self._follow, snapshot, nursery)
            nursery.start_soon(self._watch_over_the_slow)
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
        doors = {door.name: door for door in snapshot.doors}
        for session in list(self._sessions):
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
            now = self._reactor.clock()
            for door in self._feed.current.doors:
                budget = self._listener(door).memory.budget
                budget.limit = door.spec.limits.buffered
                budget.end_those_since(
                    now - door.spec.limits.unfinished,
                    f"a message was not complete after {door.spec.limits.unfinished:g} s (limits.unfinished)",
                )
            for session in list(self._sessions):
                idle = session.door.spec.limits.idle
                if idle is not None and session.pair is not None and now - session.pair.active_at > idle:
                    session.end("idle")

    def _listener(self, door: Door) -> _Listener:
        found = self._listeners.get(door.name)
        if found is None:
            found = _Listener(door, self._request_buffers, self._response_buffers)
            self._listeners[door.name] = found
        return found

    def _pause_before_next(self, door: Door) -> float:
        return self._listener(door).admission.pause(door.spec.limits, self._reactor.clock())

    # -- one client

    async def _serve_client(self, doors: Sequence[Door], node_id: int | None, sock: socket.socket) -> None:
        session = Session(doors[0], node_id, sock, *_peer(sock))
        self._sessions.add(session)
        try:
            with session.scope:
                self._listener(session.door).admission.enter(session.door.spec.limits, session.address)
                session.counted = True
                await self._reception.receive(session, doors)
                self._tallies.accepted(session.door)
                await self._connect_and_pump(session)
            outage = self._outage(session)
            if session.ending == "outage" and outage is not None:
                await suffer(session, outage, self._feed, lambda: self._outage(session) is not None)
        except (Malformed, GatewayError) as error:
            self._tallies.refused(session.door, error)
            log.warning("%s: %s", session.described(), error)
        except OSError as error:
            log.debug("%s: %s", session.described(), error)
        except Exception as error:
            self._tallies.refused(session.door, error)
            log.exception("%s: closed by an error of the gateway's own", session.described())
        finally:
            self._discard(session)

    def _discard(self, session: Session) -> None:
        self._sessions.discard(session)
        admission = self._listener(session.door).admission
        if session.counted:
            admission.leave(session.address)
        if session.identified:
            admission.forget(str(session.principal))
        session.sock.close()

    async def _connect_and_pump(self, session: Session) -> None:
        route = self._route(session)
        if route is None:
            return
        session.target = route.target
        if route.outage is not None:
            session.end("outage")
            return
        knowledge = await self._discovery.knowledge(route.target)
        upstream = await self._connect_upstream(session, route.target, knowledge)
        self._open_node_doors()
        try:
            await self._pump(session, route, knowledge, upstream)
        finally:
            upstream.channel.close()

    async def _pump(self, session: Session, route: Route, knowledge: Knowledge, upstream: Dialled) -> None:
        asked, conversation = session.door.spec.limits, session.conversation
        assert session.channel is not None
        limits = Limits(frame=asked.frame, in_flight=asked.in_flight)
        advertise = session.door.spec.advertised
        asks, meters = conversation is not None, self._meters.of(route.name)
        session.exchange = Exchange(
            route, knowledge, advertise, limits, _peer_of(session.peer), asks=asks, meters=meters
        )
        session.exchange.metadata_answers = self._shared_answers(session, route.target)
        session.pair = Pair(
            session.channel,
            upstream.channel,
            session.exchange,
            reactor=self._reactor,
            feed=self._feed,
            memory=self._listener(session.door).memory,
            open_doors=self._open_node_doors,
            authenticate=partial(self._authenticate_again, session),
        )
        self._note_expiry(session)
        renewal = partial(stay_logged_in, session.pair, self._dialer, upstream, route.target, _name(session))
        await session.pair.run(beside=renewal if upstream.session_lifetime is not None else None)

    def _shared_answers(self, session: Session, target: Target) -> MetadataAnswers | None:
        """Return where clients of a listener tell each other what the cluster shows; None where it shows each its
        own."""
        asked = target.authentication
        return None if asked and asked.per_principal else self._listener(session.door).metadata_answers

    async def _authenticate_again(self, session: Session, question: Question) -> Outcome:
        assert session.conversation is not None
        who: dict[str, object] = {"listener": session.door.name, "peer": session.peer, "client_id": session.client_id}
        outcome = await self._logins.request(
            session.conversation, question.api_key, question.api_version, bytes(question.body), who=who
        )
        self._note_expiry(session)
        if session.conversation.bare_tokens:
            raise NotAuthenticated("SaslHandshake v0 cannot authenticate again: its tokens have no header (KIP-368)")
        return outcome

    def _note_expiry(self, session: Session) -> None:
        """Tell the pair until when the client is good, on the reactor's clock."""
        ends = session.conversation.session_ends if session.conversation else None
        assert session.pair is not None
        session.pair.expires_at = None if ends is None else self._reactor.clock() + ends - self._wall()
        assert session.exchange is not None
        session.exchange.expired = False

    def _route(self, session: Session) -> Route | None:
        return self._feed.current.routes.get(session.door.virtual_cluster)

    def _current_door(self, door: Door) -> Door | None:
        return next((each for each in self._feed.current.doors if each.name == door.name), None)

    async def _offered(self, session: Session) -> Any:
        route = self._route(session)
        if route is None:
            raise Refused(f"virtual cluster {session.door.virtual_cluster} is gone")
        return await self._discovery.offered(route.target)

    async def _connect_upstream(self, session: Session, target: Target, knowledge: Knowledge) -> Dialled:
        """Connect to the session's node. One that the cluster does not have (any more) leads to any node: there the
        client learns from Metadata, or from NOT_LEADER_OR_FOLLOWER, where to go."""
        address = knowledge.nodes.get(session.node_id) if session.node_id is not None else None
        candidates = [address] if address else [*target.bootstrap, *knowledge.nodes.values()]
        what = f"node {session.node_id}" if address else "any node"
        asked = session.door.spec.authentication
        delegated = asked is None or asked.delegated
        principal = None if delegated else _name(session)
        failures = []
        for host, port in dict.fromkeys(candidates):
            try:
                return await self._dialer.dial(target, host, port, seconds=_CONNECT_SECONDS, principal=principal)
            except OSError as error:
                failures.append(f"{host}:{port}: {error.strerror or error}")
        raise ClusterUnreachable(f"cluster {target.name}, {what}: {'; '.join(failures)}")

    def _outage(self, session: Session) -> Outage | None:
        route = self._route(session)
        return route.outages.get(session.target.name) if route and session.target else None

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

    @property
    def silence(self) -> float:
        """Seconds since the data path has last shown that it turns."""
        return self._heartbeat.silence

    def measures(self) -> Measures:
        """Return what has been counted since the start, and what is in hand right now."""
        connections: Counter[Labels] = Counter()
        in_flight: Counter[Labels] = Counter()
        for session in self._sessions:
            connections[session.door.name, session.door.virtual_cluster] += 1
            in_flight[(session.door.virtual_cluster,)] += len(session.exchange.ledger) if session.exchange else 0
        now = Measures(
            open=tuple(connections.items()),
            in_flight=tuple(in_flight.items()),
            buffered=tuple(((name,), each.memory.budget.held) for name, each in self._listeners.items()),
        )
        return merged([self._meters.readings(), self._tallies.readings(), now])

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

    async def drain(self, seconds: float, *, pause: float = 0.2) -> int:
        """Take no new connections, and end those that stand, node by node with a pause between, each when it waits for
        nothing or at the deadline; return how many. librdkafka: see `move_clients`."""
        assert self._doors is not None
        self._doors.close_all_but(())
        deadline = trio.current_time() + seconds
        by_node: dict[tuple[str, int | None], list[Session]] = {}
        for session in self._sessions:
            by_node.setdefault((session.door.virtual_cluster, session.node_id), []).append(session)
        for position, sessions in enumerate(by_node.values()):
            if position:
                await trio.sleep(min(pause, max(0.0, deadline - trio.current_time())))
            left = set(sessions)
            while left:
                ready = left if trio.current_time() >= deadline else {each for each in left if each.quiet}
                for session in ready:
                    session.end("drained")
                left = left - ready
                if left:
                    await trio.sleep(_DRAIN_LOOK_SECONDS)
        return sum(map(len, by_node.values()))

    def cluster_client(self, target: Target) -> AbstractAsyncContextManager[ClusterClient]:
        """Open a client of the gateway's own to this cluster."""
        return open_client(target, self._dialer)


def _name(session: Session) -> str:
    """Return the name that the client has upstream, where every principal has one."""
    return session.principal.name if session.principal else ANONYMOUS.name


def _peer(sock: socket.socket) -> tuple[str, int]:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "gone already", 0
    return host, port


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Serve for the length of a block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        yield gateway
        nursery.cancel_scope.cancel()


def _peer_of(peer: str) -> Peer:
    host, _, port = peer.rpartition(":")
    return Peer(host, int(port)) if host else NOBODY
