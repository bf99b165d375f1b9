"""One client connection and its upstream connection, without the sockets.

The shell reads bytes into a buffer and asks `requests` (client to broker) or `responses` (broker to client) what to do with
them; the answer is a `Step`: bytes to send on, up to where the buffer is used up, and perhaps something to do before going
on. Most frames are opaque: they are entered in the ledger and pass as they arrive, without being held or looked into.
A frame that somebody wants to see is asked for whole (`Step.need`).

Rules of this file: no clock, no sockets, no waiting; the buffer belongs to the caller and is only kept from one call to
the next as far as it is copied; whatever bytes come, the only exception is Malformed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from appliance.exchange import addresses, versions
from appliance.exchange.addresses import Advertise
from appliance.exchange.interceptor import Close, Delay, Interceptor, Replace, Reply
from appliance.exchange.ledger import Entry, Ledger
from appliance.exchange.limits import Limits
from appliance.exchange.message import Answer, Question
from appliance.exchange.snapshot import Route
from appliance.exchange.streaming import PassingFetch
from appliance.exchange.topology import Knowledge
from appliance.wire.apis import Api, name_of
from appliance.wire.editing import spliced
from appliance.wire.errors import Malformed
from appliance.wire.headers import (
    REQUEST_HEAD,
    RESPONSE_HEAD,
    is_known_write,
    produce_acks,
    request_header,
    response_body,
    response_frame,
)
from appliance.wire.walk import Buffer


class Then(Enum):
    """What the shell does after it has sent a step's pieces."""

    READ = auto()
    """Read more bytes."""
    HOLD = auto()
    """Wait until the route is no longer fenced, then ask again."""
    WAIT = auto()
    """Wait `Step.seconds`, then ask again."""
    ANSWER = auto()
    """Send the client what `local_answers` returns, then ask again."""


@dataclass(slots=True)
class Step:
    pieces: list[Buffer]
    end: int
    """The buffer is used up to here; what lies behind must be given again."""
    then: Then = Then.READ
    need: int = 0
    """So many bytes, from `end` on, must be together in the buffer before asking again makes sense."""
    seconds: float = 0.0
    doors: bool = False
    """New nodes were learned: their doors must be open before the pieces are sent."""


class Refused(Malformed):
    """The connection must be closed: not because bytes are malformed, but because somebody said so."""


@dataclass(slots=True)
class _Paused:
    """A message in the hands of its interceptors, one of which wants it to wait."""

    question: Question
    interceptors: tuple[Interceptor, ...]
    at: int
    body: Buffer
    changed: bool = False


@dataclass(slots=True)
class _Passing:
    """What is under way in one direction."""

    skip: int = 0
    """Bytes of the current opaque frame that have not passed yet."""
    paused: _Paused | None = None
    fetch: PassingFetch | None = None


@dataclass
class Exchange:
    """The state of one connection pair. `route` may be replaced between two calls; requests under way keep theirs."""

    route: Route
    knowledge: Knowledge
    advertise: Advertise
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.ledger = Ledger()
        self.client_id = ""
        """The client id last heard in a request that was looked into."""
        self._up = _Passing()
        self._down = _Passing()

    # -- client to broker

    def requests(self, buffer: Buffer, start: int, end: int) -> Step:
        """Say what to do with the client's bytes `buffer[start:end]`. Raises Malformed."""
        pieces: list[Buffer] = []
        passing, ledger = self._up, self.ledger
        sent = at = start
        while True:
            if passing.skip:
                step = min(passing.skip, end - at)
                at += step
                passing.skip -= step
                if passing.skip:
                    break
            if end - at < REQUEST_HEAD.size:
                break
            size, api_key, api_version, correlation_id = REQUEST_HEAD.unpack_from(buffer, at)
            if not 10 <= size <= self.limits.frame:
                raise Malformed(_odd_size(buffer, at, size, self.limits.frame))
            frame_end = at + 4 + size
            if self.route.fenced and is_known_write(api_key) and passing.paused is None:
                _add(pieces, buffer, sent, at)
                return Step(pieces, at, Then.HOLD)
            chain = self.route.chain
            wanting = chain.of_request(api_key, api_version)
            if wanting or passing.paused or api_key == Api.API_VERSIONS:
                if frame_end > end:
                    _add(pieces, buffer, sent, at)
                    return Step(pieces, at, need=4 + size)
                _add(pieces, buffer, sent, at)
                then, seconds = self._decided_request(buffer, at, frame_end, wanting, pieces)
                if then is Then.WAIT:
                    return Step(pieces, at, then, seconds=seconds)
                sent = at = frame_end
                if then is Then.ANSWER:
                    return Step(pieces, at, then)
                continue
            if api_key == Api.PRODUCE:
                acks = self._acks(buffer, at, min(end, frame_end))
                if acks is None:
                    if frame_end <= end:
                        raise Malformed("a Produce request ends before its acks")
                    break
            else:
                acks = -1
            if acks:
                self._enter(Entry(correlation_id, api_key, api_version, chain.of_response(api_key, api_version)))
            passing.skip = 4 + size
        del ledger
        _add(pieces, buffer, sent, at)
        return Step(pieces, at)

    def _enter(self, entry: Entry) -> None:
        if len(self.ledger) >= self.limits.in_flight:
            raise Refused(f"more than {self.limits.in_flight} requests without a response on one connection")
        if addresses.carries_addresses(entry.api_key, entry.api_version) and not addresses.understood(
            entry.api_key, entry.api_version
        ):
            raise Refused(
                f"the client uses {name_of(entry.api_key)} version {entry.api_version}, which it was not offered: "
                "the answer would name brokers in a form that the gateway cannot read"
            )
        if entry.interceptors and entry.question is None:
            entry.question = Question(
                entry.api_key, entry.api_version, entry.correlation_id, self.client_id, b"", self.knowledge
            )
        self.ledger.enter(entry)

    def _acks(self, buffer: Buffer, at: int, end: int) -> int | None:
        """Return the acks of the Produce request at `at`, None where they have not come yet."""
        if end - at < REQUEST_HEAD.size + 2:
            return None
        client_id_end = (
            at + REQUEST_HEAD.size + 2 + max(int.from_bytes(buffer[at + 12 : at + 14], "big", signed=True), 0)
        )
        if client_id_end >= end:
            return None
        try:
            header = request_header(buffer, at, end)
        except Malformed:
            return None
        self.client_id = header.client_id
        return produce_acks(header.api_version, buffer, header.body, end)

    def _decided_request(
        self, buffer: Buffer, at: int, end: int, wanting: tuple[Interceptor, ...], pieces: list[Buffer]
    ) -> tuple[Then, float]:
        """Take one whole request through its interceptors; add to `pieces` what goes upstream."""
        paused = self._up.paused
        if paused is None:
            header = request_header(buffer, at, end)
            if header.client_id:
                self.client_id = header.client_id
            body = memoryview(buffer)[header.body : end]
            question = Question(
                header.api_key,
                header.api_version,
                header.correlation_id,
                header.client_id,
                body,
                self.knowledge,
            )
            paused = _Paused(question, wanting, 0, body)
        question = paused.question
        # The buffer may have moved while the request waited.
        if not paused.changed:
            header = request_header(buffer, at, end)
            question.body = paused.body = memoryview(buffer)[header.body : end]
        self._up.paused = None
        if question.api_key == Api.API_VERSIONS and question.api_version > versions.newest_api_versions():
            # KIP-511: such a request gets its answer in version 0, listing what the gateway understands.
            local = response_frame(Api.API_VERSIONS, 0, question.correlation_id, versions.unsupported())
            self._enter(Entry(question.correlation_id, Api.API_VERSIONS, 0, local=local))
            return Then.ANSWER, 0.0
        while paused.at < len(paused.interceptors):
            verdict = paused.interceptors[paused.at].on_request(question)
            paused.at += 1
            if isinstance(verdict, Delay):
                self._up.paused = paused
                return Then.WAIT, verdict.seconds
            if isinstance(verdict, Reply):
                return self._answered(question, verdict)
            if isinstance(verdict, Replace):
                question.body = paused.body = verdict.body
                paused.changed = True
            elif isinstance(verdict, Close):
                raise Refused(verdict.reason)
        self._forward(buffer, at, end, paused, pieces)
        return Then.READ, 0.0

    def _answered(self, question: Question, reply: Reply) -> tuple[Then, float]:
        if reply.body is None:
            return Then.READ, 0.0
        local = response_frame(question.api_key, question.api_version, question.correlation_id, reply.body)
        self._enter(Entry(question.correlation_id, question.api_key, question.api_version, local=local))
        return Then.ANSWER, 0.0

    def _forward(self, buffer: Buffer, at: int, end: int, paused: _Paused, pieces: list[Buffer]) -> None:
        question = paused.question
        wanting = self.route.chain.of_response(question.api_key, question.api_version)
        acks = (
            produce_acks(question.api_version, question.body, 0, len(question.body))
            if question.api_key == Api.PRODUCE
            else -1
        )
        if acks is None:
            raise Malformed("a Produce request ends before its acks")
        if paused.changed:
            head = request_header(buffer, at, end).body - at
            pieces.append((head - 4 + len(paused.body)).to_bytes(4, "big") + bytes(buffer[at + 4 : at + head]))
            pieces.append(paused.body)
        else:
            pieces.append(memoryview(buffer)[at:end])
        if acks:
            kept = question if paused.interceptors or wanting else None
            if kept is not None:
                kept.body = bytes(kept.body)
            self._enter(Entry(question.correlation_id, question.api_key, question.api_version, wanting, kept))

    # -- broker to client

    def local_answers(self) -> list[bytes]:
        """Return the gateway's own answers that may go to the client now."""
        return self.ledger.take_local()

    def responses(self, buffer: bytearray | memoryview, start: int, end: int) -> Step:
        """Say what to do with the broker's bytes `buffer[start:end]`. Raises Malformed."""
        pieces: list[Buffer] = list(self.ledger.take_local())
        passing = self._down
        sent = at = start
        doors = False
        while True:
            if passing.skip:
                step = min(passing.skip, end - at)
                at += step
                passing.skip -= step
                if passing.skip:
                    break
                sent = self._left(pieces, buffer, sent, at)
            if passing.fetch is not None:
                at = passing.fetch.pass_on(buffer, at, end)
                if not passing.fetch.done:
                    break
                passing.fetch = None
                sent = self._left(pieces, buffer, sent, at)
            if end - at < RESPONSE_HEAD.size:
                break
            size, correlation_id = RESPONSE_HEAD.unpack_from(buffer, at)
            entry = self._expected(size, correlation_id)
            api_key, api_version = entry.api_key, entry.api_version
            carries = addresses.carries_addresses(api_key, api_version)
            if not (carries or entry.interceptors or api_key == Api.API_VERSIONS):
                passing.skip = 4 + size
                continue
            frame_end = at + 4 + size
            if frame_end > end:
                if api_key == Api.FETCH and not entry.interceptors:
                    if end - at < RESPONSE_HEAD.size + 1:
                        break
                    body = response_body(buffer, at, end, api_key, api_version)
                    passing.fetch = PassingFetch(api_version, frame_end - body)
                    at = body
                    continue
                if size > self.limits.frame:
                    raise Malformed(
                        f"a {name_of(api_key)} response of {size} bytes is over the limit of {self.limits.frame}"
                    )
                _add(pieces, buffer, sent, at)
                return Step(pieces, at, need=4 + size, doors=doors)
            _add(pieces, buffer, sent, at)
            seconds, news = self._decided_response(buffer, at, frame_end, entry, pieces)
            doors = doors or news
            if seconds is not None:
                return Step(pieces, at, Then.WAIT, seconds=seconds, doors=doors)
            at = frame_end
            sent = self._left(pieces, buffer, at, at)
        _add(pieces, buffer, sent, at)
        return Step(pieces, at, doors=doors)

    def _left(self, pieces: list[Buffer], buffer: Buffer, sent: int, at: int) -> int:
        """Strike off the response that ends at `at`; where an answer of the gateway is due next, it goes out behind it."""
        self.ledger.leave()
        head = self.ledger.head()
        if head is None or head.local is None:
            return sent
        _add(pieces, buffer, sent, at)
        pieces += self.ledger.take_local()
        return at

    def _expected(self, size: int, correlation_id: int) -> Entry:
        entry = self.ledger.head()
        if size < 4:
            raise Malformed(f"expected a response, found a frame of {size} bytes")
        if entry is None:
            raise Malformed(f"the broker answered request {correlation_id}, but no request is waiting")
        if entry.correlation_id != correlation_id:
            raise Malformed(f"expected the answer to request {entry.correlation_id}, found one to {correlation_id}")
        return entry

    def _decided_response(
        self, buffer: bytearray | memoryview, at: int, end: int, entry: Entry, pieces: list[Buffer]
    ) -> tuple[float | None, bool]:
        """Take one whole response through its interceptors and rewrite its addresses.

        Returns the seconds to wait first (nothing is in `pieces` then), and whether nodes were learned.
        """
        body_at = response_body(buffer, at, end, entry.api_key, entry.api_version)
        body: Buffer = memoryview(buffer)[body_at:end]
        changed = False
        if entry.question is not None and entry.interceptors:
            paused = self._down.paused or _Paused(entry.question, entry.interceptors, 0, body)
            if paused.changed:
                body = paused.body
            self._down.paused = None
            while paused.at < len(paused.interceptors):
                verdict = paused.interceptors[paused.at].on_response(Answer(entry.question, body))
                paused.at += 1
                if isinstance(verdict, Delay):
                    paused.body, paused.changed = body, paused.changed or changed
                    self._down.paused = paused
                    return verdict.seconds, False
                if isinstance(verdict, Replace):
                    body, changed = verdict.body, True
                elif isinstance(verdict, Close):
                    raise Refused(verdict.reason)
            changed = changed or paused.changed
        news = False
        if entry.api_key == Api.API_VERSIONS:
            body, changed = versions.limited(entry.api_version, body, 0, len(body)), True
        elif addresses.carries_addresses(entry.api_key, entry.api_version):
            rewritten = addresses.rewrite(
                entry.api_key, entry.api_version, body, 0, len(body), self.knowledge, self.advertise
            )
            news = rewritten.news
            if rewritten.edits:
                body, changed = spliced(body, 0, len(body), rewritten.edits), True
        if changed:
            head = body_at - at
            pieces.append((head - 4 + len(body)).to_bytes(4, "big") + bytes(buffer[at + 4 : body_at]))
            pieces.append(body)
        else:
            pieces.append(memoryview(buffer)[at:end])
        return None, news


def _add(pieces: list[Buffer], buffer: Buffer, start: int, end: int) -> None:
    if end > start:
        pieces.append(memoryview(buffer)[start:end])


def _odd_size(buffer: Buffer, at: int, size: int, limit: int) -> str:
    """Say what those bytes probably are instead of a Kafka request."""
    head = bytes(buffer[at : at + 8])
    if head[:2] in (b"\x16\x03", b"\x16\x02"):
        return (
            "expected a Kafka request, found a TLS handshake: this listener is plain; set security.protocol=PLAINTEXT"
        )
    if head[:4] in (b"GET ", b"POST", b"HEAD", b"PUT "):
        return "expected a Kafka request, found an HTTP request"
    if size > limit:
        return f"a request of {size} bytes is over the limit of {limit}"
    return f"expected a Kafka request, found a frame of {size} bytes"
