"""Standing in for the broker that a client writes to, when another cluster serves.

A connection that closes makes its client send again what was under way. Where that is more than one request for a
partition, and the producer is not idempotent, they change places (Java's library puts each at the front of its queue);
and some libraries wait for seconds before they try again. So a connection whose writes were held at the fence of a
switchover is not closed with the others: the gateway takes the broker's place on it, has what was held written by the
leaders on the new cluster, and closes it when its client waits for nothing. What the client sends meanwhile goes the
same way, for a while: this is one request after another, and each is taken apart.

To the connection pair the stand-in is a broker, at the other end of a socket pair: what is rewritten for the new
cluster is rewritten on the way, as on any connection. It knows Produce, and Metadata, which clients ask for because
their other connections close; it ends with any other request.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import trio
from kio.schema.errors import ErrorCode

from appliance.exchange.route import Target
from appliance.exchange.topology import Knowledge
from appliance.gateway.channel import Channel, PlainChannel, receive_exactly, send_all
from appliance.gateway.client import ClusterClient, open_client
from appliance.gateway.client_link import Link
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable
from appliance.gateway.session import Session
from appliance.wire.apis import Api, kind_in_words, name_of
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import SIZE, request_header, response_frame

log = logging.getLogger("tidegate.gateway")

LONGEST_SECONDS = 10.0
"""How long it goes on for a client that always waits for something."""
_LOOK_SECONDS = 0.01
_RELAY_SECONDS = 1.0
"""How long answers that are given have to reach a client that does not read."""
_ANSWER_SECONDS = 0.3
"""How long answers may take that are due before a held write."""
_TAKES_TIME = frozenset({Api.FETCH, Api.SHARE_FETCH, Api.JOIN_GROUP, Api.SYNC_GROUP})
"""What is not waited for: brokers answer when there is something new."""
_TRIES, _AGAIN_SECONDS = 40, 0.05
"""How often a partition whose leader moves is tried."""
_NOT_HERE = {
    ErrorCode.not_leader_or_follower,
    ErrorCode.leader_not_available,
    ErrorCode.unknown_topic_or_partition,
    ErrorCode.unknown_topic_id,
}
"""What a broker says of a partition that it does not lead: nothing was written."""

Place = tuple[str | bytes, int]
"""A topic as Produce names it (by its id since version 13), and the partition."""


class CannotStandInError(Exception):
    """It is not a write that anybody but the cluster's own broker could take."""


def may_stand_in(session: Session) -> bool:
    """Return whether a session has a held write and nothing else under way, and lets others speak for its client."""
    pair, exchange = session.pair, session.exchange
    if pair is None or exchange is None or not pair.at_the_fence:
        return False
    return not len(exchange.ledger) and not exchange.logged_in_upstream


async def until_answered(sessions: Iterable[Session]) -> None:
    """Wait a moment until who has held writes is answered what it has asked before them: the cluster that serves no
    more does that still, if it is there."""
    with trio.move_on_after(_ANSWER_SECONDS):
        while any(map(_answered_soon, sessions)):  # noqa: ASYNC110 - the data path sets no events
            await trio.sleep(_LOOK_SECONDS)


def _answered_soon(session: Session) -> bool:
    pair, exchange = session.pair, session.exchange
    if pair is None or exchange is None or not pair.at_the_fence:
        return False
    due = exchange.ledger.head()
    return due is not None and due.api_key not in _TAKES_TIME


def stand_in(session: Session, target: Target, knowledge: Knowledge, dialer: Dialer) -> None:
    """Take the place of the session's broker until its client waits for nothing; then the session ends as moved."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    session.target, session.writes_overdue = target, True

    async def serve() -> None:
        try:
            async with open_client(target, dialer, session.name_upstream) as client, trio.open_nursery() as nursery:
                broker = _StandIn(session, PlainChannel(ours), client)
                nursery.start_soon(_leave_when_quiet, session, broker)
                await broker.serve()
        except* (CannotStandInError, ClusterUnreachable, Malformed, OSError, EOFError) as reasons:
            # Its client asks again, and is led to the cluster's own brokers.
            log.debug("%s: nobody stands in any longer: %s", session.described(), reasons.exceptions[0])
            with trio.move_on_after(_RELAY_SECONDS):
                while _readable(theirs.fileno()):  # noqa: ASYNC110 - the data path sets no events
                    await trio.sleep(_LOOK_SECONDS)  # what was written must not be sent again
        finally:
            ours.close()
            session.writes_overdue = False
            session.end("moved")

    assert session.pair is not None
    session.pair.hand_over(PlainChannel(theirs), knowledge, serve)


async def _leave_when_quiet(session: Session, broker: _StandIn) -> None:
    assert session.pair is not None
    await session.pair.past_the_fence()
    with trio.move_on_after(LONGEST_SECONDS):
        while not (session.pair.quiet and broker.quiet):  # noqa: ASYNC110 - the data path sets no events
            await trio.sleep(_LOOK_SECONDS)
    session.end("moved")


@dataclass
class _StandIn:
    """Answers Produce requests, one after the other."""

    session: Session
    channel: Channel
    client: ClusterClient
    _names: dict[bytes, str] = field(default_factory=dict)
    """Topic id -> name."""
    _at_work: bool = False

    @property
    def quiet(self) -> bool:
        """Whether everything that came is written; not every write gets an answer that would tell."""
        return not self._at_work and not _readable(self.channel.fileno())

    async def serve(self) -> None:
        """Answer until the other end is closed (EOFError). Raises CannotStandInError, ClusterUnreachable, Malformed."""
        while True:
            self._at_work = False
            self._note_what_is_overdue()
            head = await receive_exactly(self.channel, SIZE.size)
            self._at_work = True
            frame = head + await receive_exactly(self.channel, SIZE.unpack(head)[0])
            header = request_header(frame, 0, len(frame))
            if header.api_key not in (Api.PRODUCE, Api.METADATA):
                raise CannotStandInError(name_of(header.api_key))
            api, version = Api(header.api_key), header.api_version
            request: Any = decode(request_type(api, version), frame[header.body :])
            answer = await (self._written if api is Api.PRODUCE else self._told)(version, request)
            if api is not Api.PRODUCE or request.acks:
                await send_all(self.channel, [response_frame(api, version, header.correlation_id, encode(answer))])

    def _note_what_is_overdue(self) -> None:
        """What was held is written when the fence is open and nothing has come behind it for the first time."""
        pair = self.session.pair
        if self.session.writes_overdue and pair is not None and not pair.at_the_fence and self.quiet:
            self.session.writes_overdue = False

    async def _told(self, version: int, request: Any) -> Any:
        """Ask any broker for Metadata; who has lost other connections wants to know where to go.

        Not before all that was held is written, on other connections too: librdkafka closes those to brokers that are
        not named, with what is under way, and sends that again.
        """
        self.session.writes_overdue = False  # what stands before it is written
        assert self.session.pair is not None
        await self.session.pair.newcomers_served()
        return await self.client.ask_any(Api.METADATA, lambda _: request, version=version)

    async def _written(self, version: int, request: Any) -> Any:
        """Have it all written, and return the answer."""
        if request.transactional_id:
            raise CannotStandInError("a transaction")
        left = {(_identity(topic), each.index): each for topic in request.topic_data for each in topic.partition_data}
        answers: dict[Place, Any] = {}
        for _ in range(_TRIES):
            for link, places in (await self._by_leader(left)).items():
                answer = await _asked(link, version, _part_of(request, left, places))
                answers |= {
                    (_identity(topic), each.index): each
                    for topic in answer.responses
                    for each in topic.partition_responses
                }
            left = {place: left[place] for place in left if answers[place].error_code in _NOT_HERE}
            if not left:
                break
            for topic, partition in left:
                self.client.forget_leader(self._names[topic] if isinstance(topic, bytes) else topic, partition)
            await trio.sleep(_AGAIN_SECONDS)
        kind = response_type(Api.PRODUCE, version)
        topic_kind = element_type(kind, "responses")
        return kind(
            responses=tuple(
                topic_kind(
                    **_named(topic),
                    partition_responses=tuple(answers[_identity(topic), each.index] for each in topic.partition_data),
                )
                for topic in request.topic_data
            )
        )

    async def _by_leader(self, places: dict[Place, Any]) -> dict[Link, list[Place]]:
        found: dict[Link, list[Place]] = {}
        for topic, partition in places:
            name = await self._name(topic) if isinstance(topic, bytes) else topic
            found.setdefault(await self.client.leader(name, partition), []).append((topic, partition))
        return found

    async def _name(self, topic_id: bytes) -> str:
        if topic_id not in self._names:
            self._names = {its: name for name, its in (await self.client.topic_ids()).items()}
        if topic_id not in self._names:
            raise CannotStandInError("a topic that the cluster does not have")
        return self._names[topic_id]


async def _asked(link: Link, version: int, question: Any) -> Any:
    """Ask in the client's own version, for its answer is in that."""
    low, high = link.ranges.get(Api.PRODUCE, (0, -1))
    if not low <= version <= high:
        raise CannotStandInError(kind_in_words(Api.PRODUCE, version))
    return await link.ask(Api.PRODUCE, question, version=version)


def _readable(fd: int) -> bool:
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    return bool(waiting.poll(0))


def _identity(topic: Any) -> str | bytes:
    identity: str | bytes = topic.name if hasattr(topic, "name") else topic.topic_id.bytes
    return identity


def _named(topic: Any) -> dict[str, Any]:
    field_name = "name" if hasattr(topic, "name") else "topic_id"
    return {field_name: getattr(topic, field_name)}


def _part_of(request: Any, left: dict[Place, Any], places: list[Place]) -> Any:
    """Return a request for these places alone; one that wants no answer gets one all the same, or nobody would know
    when the next one may follow."""
    topics: dict[str | bytes, list[Any]] = {}
    for topic, partition in places:
        topics.setdefault(topic, []).append(left[topic, partition])
    parts = tuple(
        replace(topic, partition_data=tuple(topics[_identity(topic)]))
        for topic in request.topic_data
        if _identity(topic) in topics
    )
    return replace(request, acks=request.acks or 1, topic_data=parts)
