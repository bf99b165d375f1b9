"""One client from the door to its end: received, connected to its node, pumped; and what went wrong, for the log."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import trio

from appliance.exchange.exchange import Exchange
from appliance.exchange.interceptor import Outage
from appliance.exchange.limits import Limits
from appliance.exchange.message import Peer, Question
from appliance.exchange.meters import Meters
from appliance.exchange.route import Route, Target
from appliance.exchange.shared_answers import SharedAnswers
from appliance.exchange.step import NotAuthenticated, Refused
from appliance.exchange.topology import Knowledge
from appliance.gateway.certificates import Certificates
from appliance.gateway.dialer import Dialer, Dialled
from appliance.gateway.discovery import Discovery
from appliance.gateway.errors import ClusterUnreachable, GatewayError
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.login import Logins, Outcome
from appliance.gateway.pair import Pair
from appliance.gateway.reactor import Reactor
from appliance.gateway.reception import Reception
from appliance.gateway.renewal import stay_logged_in
from appliance.gateway.session import Session
from appliance.gateway.shares import Shares
from appliance.gateway.snapshot import Door
from appliance.gateway.suffering import suffer
from appliance.gateway.tallies import Tallies
from appliance.wire.errors import Malformed

_CONNECT_SECONDS = 10.0
_NEWCOMER_SECONDS = 2.0
"""A switchover needs some tenths; kafka-python gives a broker 2 s to say what it speaks."""

log = logging.getLogger("tidegate.gateway")


class Host:
    """Of a process. `open_doors` opens the doors of all nodes that are known; `wall` gives Unix time in seconds."""

    def __init__(
        self,
        feed: SnapshotFeed,
        *,
        reactor: Reactor,
        shares: Shares,
        certificates: Certificates,
        dialer: Dialer,
        discovery: Discovery,
        open_doors: Callable[[], None],
        wall: Callable[[], float],
    ) -> None:
        self.sessions: set[Session] = set()
        """Everyone who is there."""
        self.meters = Meters()
        self.tallies = Tallies()
        self._feed = feed
        self._reactor = reactor
        self._shares = shares
        self._dialer = dialer
        self._discovery = discovery
        self._open_doors = open_doors
        self._wall = wall
        self._logins = Logins(wall, self.tallies)
        self._reception = Reception(
            certificates,
            self._logins,
            admission=lambda door: shares.of(door).admission,
            current=self._current_door,
            offered=self._offered,
        )

    async def serve(self, doors: Sequence[Door], node_id: int | None, sock: socket.socket) -> None:
        """Serve a client that has come in through a door; `doors` are the listeners of its port."""
        session = Session(doors[0], node_id, sock, *_peer(sock))
        self.sessions.add(session)
        try:
            with session.scope:
                self._shares.of(session.door).admission.enter(session.door.spec.limits, session.address)
                session.counted = True
                with self._reactor.attentive():
                    await self._reception.receive(session, doors)
                self.tallies.accepted(session.door)
                await self._connect_and_pump(session)
            outage = self._outage(session)
            if session.ending == "outage" and outage is not None:
                await suffer(session, outage, self._feed, lambda: self._outage(session) is not None)
        except (Malformed, GatewayError) as error:
            self.tallies.refused(session.door, error)
            log.warning("%s: %s", session.described(), error)
        except OSError as error:
            log.debug("%s: %s", session.described(), error)
        except Exception as error:
            self.tallies.refused(session.door, error)
            log.exception("%s: closed by an error of the gateway's own", session.described())
        finally:
            self._discard(session)

    def _discard(self, session: Session) -> None:
        self.sessions.discard(session)
        admission = self._shares.of(session.door).admission
        if session.counted:
            admission.leave(session.address)
        if session.identified:
            admission.forget(str(session.principal))
        session.sock.close()

    async def _connect_and_pump(self, session: Session) -> None:
        with self._reactor.attentive():
            await self._wait_as_a_newcomer(session)
            route = self._route(session)
            if route is None:
                return
            session.target = route.target
            if route.outage is not None:
                session.end("outage")
                return
            knowledge = await self._discovery.for_clients(route)
        self._open_doors()
        await self._pump(session, route, knowledge)

    async def _wait_as_a_newcomer(self, session: Session) -> None:
        """Wait where the route says so; not so long that the client would give up."""
        with trio.move_on_after(_NEWCOMER_SECONDS):
            await self._feed.until(lambda: (route := self._route(session)) is None or not route.newcomers_wait)

    async def _pump(self, session: Session, route: Route, knowledge: Knowledge) -> None:
        asked, conversation = session.door.spec.limits, session.conversation
        assert session.channel is not None
        limits = Limits(frame=asked.frame, in_flight=asked.in_flight)
        advertise = session.door.spec.advertised
        asks, meters = conversation is not None, self.meters.of(route.name)
        session.exchange = Exchange(
            route,
            knowledge,
            advertise,
            limits,
            Peer(session.address, session.port),
            session.greeting,
            asks=asks,
            others=self._shared_answers(session, route.target),
            node_id=session.node_id,
            meters=meters,
        )
        session.pair = Pair(
            session.channel,
            session.exchange,
            dial=partial(self._connect_upstream, session, route.target, knowledge),
            stay=partial(stay_logged_in, self._dialer, route.target, session.name),
            reactor=self._reactor,
            feed=self._feed,
            memory=self._shares.of(session.door).memory,
            open_doors=self._open_doors,
            authenticate=partial(self._authenticate_again, session),
        )
        self._note_expiry(session)
        await session.pair.run()

    def _shared_answers(self, session: Session, target: Target) -> SharedAnswers | None:
        """Return where clients of a listener tell each other what the cluster shows; None where it shows each its
        own."""
        asked = target.authentication
        return None if asked and asked.per_principal else self._shares.of(session.door).answers

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
        principal, failures = session.name_upstream, []
        for host, port in dict.fromkeys(candidates):
            try:
                return await self._dialer.dial(target, host, port, seconds=_CONNECT_SECONDS, principal=principal)
            except OSError as error:
                failures.append(f"{host}:{port}: {error.strerror or error}")
        raise ClusterUnreachable(f"cluster {target.name}, {what}: {'; '.join(failures)}")

    def _outage(self, session: Session) -> Outage | None:
        route = self._route(session)
        return route.outages.get(session.target.name) if route and session.target else None


def _peer(sock: socket.socket) -> tuple[str, int]:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "gone already", 0
    return host, port
