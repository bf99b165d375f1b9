"""Client to broker: which frames pass as they come, which are looked into, held, answered here, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Literal

from appliance.exchange import versions
from appliance.exchange.bare_sasl import handshake_refusal, is_bare_sasl
from appliance.exchange.chain import Kind
from appliance.exchange.connection import Connection
from appliance.exchange.interceptor import AskAgain, Close, Delay, Instead, Replace, Reply
from appliance.exchange.ledger import Entry
from appliance.exchange.message import Question
from appliance.exchange.retired import is_retired, refusal
from appliance.exchange.shared_answers import Asked
from appliance.exchange.software import software_in
from appliance.exchange.step import NotAuthenticated, Outgoing, OverLimit, Refused, Step, Then
from appliance.wire.apis import SASL, Api, kind_in_words
from appliance.wire.editing import int_at
from appliance.wire.error_codes import errors_in
from appliance.wire.errors import Malformed
from appliance.wire.headers import (
    REQUEST_HEAD,
    SIZE,
    odd_frame,
    produce_acks_at,
    request_header,
    response_frame,
    response_head,
)
from appliance.wire.walk import Buffer

_SHARED = frozenset({Api.API_VERSIONS, Api.METADATA})
_SMALLEST = REQUEST_HEAD.size - SIZE.size + 2
"""Bytes of a request without a body: its header with a client id that is null."""
_ACKS_AND_TIMEOUT = 6
"""Bytes of a Produce request's acks and of the timeout behind them."""
_KIND = Struct(">hh")
"""The API key and version that a request's header begins with."""
_CLIENT_ID = REQUEST_HEAD.size + 2
"""Where the client id's characters begin, behind its length."""


@dataclass(slots=True)
class _InHand:
    """A request that is with its interceptors, one of which may have told it to wait."""

    question: Question
    kind: Kind
    """From the snapshot that the request began with."""
    turn: int = 0
    replaced: bool = False
    """The question's body is no longer what stands in the buffer."""
    instead: Instead | None = None
    """What the broker is asked, where that is not what the client asks."""
    asked: Asked | None = None
    """What the client asked, where others may ask the same: before any interceptor changed it."""


class Requests:
    """One direction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._skip = 0
        """Bytes of the current opaque frame that have not passed yet."""
        self._in_hand: _InHand | None = None
        self._within = False
        self._head, self._head_version, self._head_acks = b"", -1, 0
        """What stood behind the correlation id of the last Produce request, up to its acks: a client's next one begins
        the same, and need not be parsed."""

    @property
    def between_frames(self) -> bool:
        """Whether no request has gone upstream in part."""
        return self._skip == 0

    @property
    def within_frame(self) -> bool:
        """Whether the bytes given so far end within a request."""
        return self._within or self._skip > 0

    def take(self, buffer: Buffer, start: int, end: int) -> Step:
        """Say what to do with the client's bytes `buffer[start:end]`. Raises Malformed."""
        metering = self._connection.metering
        if not self._within:
            metering.came = metering.now
        step = self._take(buffer, start, end)
        self._within = step.end < end
        return step

    def _take(self, buffer: Buffer, start: int, end: int) -> Step:
        connection, out, at = self._connection, Outgoing(buffer, start), start
        while True:
            if self._skip:
                passing = min(self._skip, end - at)
                at += passing
                self._skip -= passing
            if end - at < REQUEST_HEAD.size:
                if end - at >= SIZE.size:
                    self._check_size(buffer, at)  # behind a frame too small for a header no more bytes need ever come
                return out.step(at)
            self._check_size(buffer, at)
            size, api_key, api_version, correlation_id = REQUEST_HEAD.unpack_from(buffer, at)
            if connection.asks or connection.reserved:
                step = self._attended(buffer, at, end, out)
                if step is not None:
                    return step
            kind = connection.route.chain.kind(api_key, api_version)
            if kind.writes and connection.kept_from_writing:
                self._in_hand = None  # it starts over when it may go: other rules may hold then
                return out.step(at, Then.HOLD)
            if kind.request_whole or self._in_hand is not None:
                step = self._whole(buffer, at, end, kind, out)
                if step is not None:
                    return step
                at += 4 + size
                continue
            if connection.introduction is not None:
                self._introduce(connection.introduction, at, out)
            entry = Entry(correlation_id, api_key, api_version, kind.responses, None, None, kind.response_whole)
            if not self._enter_opaque(buffer, at, min(end, at + 4 + size), entry, kind, 4 + size):
                return out.step(at)
            self._skip = 4 + size

    def _whole(self, buffer: Buffer, at: int, end: int, kind: Kind, out: Outgoing) -> Step | None:
        """Look into a request; None: it is on its way, and the next one may follow."""
        frame_end = at + 4 + SIZE.unpack_from(buffer, at)[0]
        if frame_end > end:
            return out.step(at, need=frame_end - at)
        then, seconds = self._decide(buffer, at, frame_end, kind, out)
        if then is Then.READ:
            return None
        return out.step(at if then in (Then.WAIT, Then.OTHERS) else frame_end, then, seconds=seconds)

    def _check_size(self, buffer: Buffer, at: int) -> None:
        limit = self._connection.limits.frame
        if not _SMALLEST <= SIZE.unpack_from(buffer, at)[0] <= limit:
            raise Malformed(odd_frame(buffer, at, limit))

    def _attended(self, buffer: Buffer, at: int, end: int, out: Outgoing) -> Step | None:
        """Look at a request as one who has a word about who speaks and when; None: it may go its way."""
        connection = self._connection
        size, api_key, _, _ = REQUEST_HEAD.unpack_from(buffer, at)
        if connection.asks and api_key in SASL:
            frame_end = at + 4 + size
            if frame_end > end:
                return out.step(at, need=4 + size)
            header = request_header(buffer, at, frame_end)
            out.put(at, [], frame_end)
            step = out.step(frame_end, Then.AUTHENTICATE)
            step.question = Question(*header[:4], bytes(buffer[header.body : frame_end]), connection.knowledge)
            return step
        if connection.expired:
            raise NotAuthenticated("the session is over and the client did not authenticate again (KIP-368)")
        return out.step(at, Then.YIELD) if connection.reserved else None

    def answer(self, question: Question, body: bytes) -> None:
        """Answer a request in the broker's place, when its turn comes."""
        local = response_frame(question.api_key, question.api_version, question.correlation_id, body)
        entry = Entry(question.correlation_id, question.api_key, question.api_version, local=local)
        self._connection.ledger.enter(entry)
        size = _CLIENT_ID + len(question.client_id) + len(question.body)  # but for the header's tags
        self._count_answered(entry, body, size)

    def _count_answered(self, entry: Entry, body: bytes, size: int) -> None:
        self._connection.metering.answered_here(entry, size, errors_in(entry.api_key, entry.api_version, body))

    def _enter_opaque(self, buffer: Buffer, at: int, end: int, entry: Entry, kind: Kind, size: int) -> bool:
        """Take note of a request that passes as it comes, `size` bytes in all; False where too little of it has come
        to tell what it awaits."""
        if entry.api_key == Api.PRODUCE:
            acks = self._acks(buffer, at, end, entry.api_version)
            if acks is None:
                if end - at >= size:
                    raise Malformed("a Produce request ends before its acks")
                return False
            if not acks:
                self._connection.metering.unanswered(entry.api_key, size)
                return True
        if entry.interceptors:
            its = self._connection
            entry.question = Question(
                entry.api_key,
                entry.api_version,
                entry.correlation_id,
                its.client_id,
                b"",
                its.knowledge,
                its.peer,
                its.software,
            )
        self._enter(entry, kind)
        self._connection.metering.entered(entry, size)
        return True

    def _acks(self, buffer: Buffer, at: int, end: int, api_version: int) -> int | None:
        """Return the acks of the Produce request at `at`, None where they have not come yet."""
        first, head = at + REQUEST_HEAD.size, self._head
        if api_version == self._head_version and first + len(head) <= end and buffer[first : first + len(head)] == head:
            return self._head_acks
        if end - at < _CLIENT_ID:
            return None
        length = int.from_bytes(buffer[at + _CLIENT_ID - 2 : at + _CLIENT_ID], "big", signed=True)
        if end - at <= _CLIENT_ID + length:
            return None
        try:
            header = request_header(buffer, at, end)
        except Malformed:
            return None  # it ends within the header's tagged fields
        self._connection.client_id = header.client_id
        acks_at = produce_acks_at(api_version, buffer, header.body, end)
        if acks_at < 0:
            return None
        acks = int_at(buffer, acks_at, acks_at + 2)
        if acks_at + _ACKS_AND_TIMEOUT <= end:
            self._head, self._head_version = bytes(buffer[first : acks_at + 2]), api_version
            self._head_acks = acks
            self._note_timeout(buffer, acks_at)
        return acks

    def _note_timeout(self, buffer: Buffer, acks_at: int) -> None:
        self._connection.produce_timeout = int_at(buffer, acks_at + 2, acks_at + _ACKS_AND_TIMEOUT) / 1000

    def _enter(self, entry: Entry, kind: Kind) -> None:
        if len(self._connection.ledger) >= self._connection.limits.in_flight:
            raise OverLimit(
                f"more than {self._connection.limits.in_flight} requests without a response on one connection"
            )
        if kind.unreadable:
            raise Refused(
                f"the client uses {kind_in_words(entry.api_key, entry.api_version)}, which it was not offered: "
                "the answer would name brokers in a form that the gateway cannot read"
            )
        self._connection.ledger.enter(entry)

    def _decide(self, buffer: Buffer, at: int, end: int, kind: Kind, out: Outgoing) -> tuple[Then, float]:
        """Take one whole request through its interceptors, from where it had got to if it was told to wait."""
        in_hand = self._taken_up(buffer, at, end, kind)
        question = in_hand.question
        if question.api_key == Api.API_VERSIONS and question.api_version > versions.newest_api_versions():
            # KIP-511: the answer is in version 0, whatever was asked, and lists what is understood here.
            return self._answer(question, 0, versions.unsupported(), at, end, out, kind)
        if is_retired(question.api_key, question.api_version):
            return self._answer(question, question.api_version, _refusal(question), at, end, out, kind)
        if question.api_key in _SHARED and (known := self._told_to_others(in_hand)) is not None:
            return self._wait(in_hand) if known == "wait" else self._share(question, known, buffer, at, end, out, kind)
        while in_hand.turn < len(in_hand.kind.requests):
            verdict = in_hand.kind.requests[in_hand.turn].on_request(question)
            in_hand.turn += 1
            match verdict:
                case Delay(seconds) | AskAgain(seconds):
                    in_hand.turn -= isinstance(verdict, AskAgain)
                    self._in_hand = in_hand
                    return Then.WAIT, seconds
                case Reply(body):
                    return self._answer(question, question.api_version, body, at, end, out, kind)
                case Replace(body):
                    question.body = body
                    in_hand.replaced = True
                case Instead():
                    in_hand.instead = verdict
                    break  # those behind know nothing of what is asked now
                case Close(reason):
                    raise Refused(reason)
        if question.api_key == Api.SASL_HANDSHAKE:
            self._connection.others = None  # from here on the broker knows the client, and may show it less
            self._connection.logged_in_upstream = True
        if is_bare_sasl(question.api_key, question.api_version):
            return self._answer(question, question.api_version, handshake_refusal(), at, end, out, kind)
        self._forward(buffer, at, end, in_hand, out)
        return Then.READ, 0.0

    def _told_to_others(self, in_hand: _InHand) -> bytes | Literal["wait"] | None:
        """Return the body that others have just been told; None: this connection asks."""
        answers, kind = self._connection.shared_answers, in_hand.kind
        if answers is None or not kind.alike:
            return None  # what an interceptor says to one is nobody else's
        in_hand.asked = in_hand.asked or self._connection.asked(in_hand.question)
        known = answers.look_up(self._connection.route, in_hand.asked)
        return None if known == "ask" else known

    def when_told(self, look_again: Callable[[], None]) -> None:
        """Call it once, when the request in hand, told to wait for somebody else's answer, may be asked about again."""
        others, in_hand = self._connection.shared_answers, self._in_hand
        assert others is not None
        assert in_hand is not None
        assert in_hand.asked is not None
        others.when_told(in_hand.asked, look_again)

    def _wait(self, in_hand: _InHand) -> tuple[Then, float]:
        self._in_hand = in_hand
        return Then.OTHERS, 0.0

    def _share(
        self, question: Question, body: bytes, buffer: Buffer, at: int, end: int, out: Outgoing, kind: Kind
    ) -> tuple[Then, float]:
        """Answer with bytes that others are answered with too."""
        out.put(at, [], end)
        if question.api_key == Api.API_VERSIONS:
            self._connection.introduction = bytes(buffer[at:end])
        head = response_head(question.api_key, question.api_version, question.correlation_id, len(body))
        entry = Entry(question.correlation_id, question.api_key, question.api_version, local=head, shared=body)
        self._enter(entry, kind)
        self._connection.metering.answered_here(entry, end - at, [])
        return Then.ANSWER, 0.0

    def _taken_up(self, buffer: Buffer, at: int, end: int, kind: Kind) -> _InHand:
        header = request_header(buffer, at, end)
        body = memoryview(buffer)[header.body : end]
        in_hand, self._in_hand = self._in_hand, None
        if in_hand is None:
            connection = self._connection
            connection.client_id = header.client_id
            if header.api_key == Api.API_VERSIONS:
                connection.software = software_in(header.api_version, body)
            its = connection.knowledge, connection.peer, connection.software
            return _InHand(Question(*header[:4], body, *its), kind)
        if not in_hand.replaced:
            in_hand.question.body = body  # the buffer may have moved while the request waited
        return in_hand

    def _answer(
        self, question: Question, api_version: int, body: bytes | None, at: int, end: int, out: Outgoing, kind: Kind
    ) -> tuple[Then, float]:
        """Answer in the broker's place, in turn; None: the request just vanishes."""
        out.put(at, [], end)
        if body is None:
            self._connection.metering.unanswered(question.api_key, end - at)
            return Then.READ, 0.0
        local = response_frame(question.api_key, api_version, question.correlation_id, body)
        entry = Entry(question.correlation_id, question.api_key, api_version, local=local)
        self._enter(entry, kind)
        self._count_answered(entry, body, end - at)
        return Then.ANSWER, 0.0

    def _introduce(self, introduction: bytes, at: int, out: Outgoing) -> None:
        """Let the broker have what the client has said of itself, before the first request that goes there."""
        self._connection.introduction = None
        _, api_key, api_version, correlation_id = REQUEST_HEAD.unpack_from(introduction)
        self._connection.ledger.enter(Entry(correlation_id, api_key, api_version, answered=_answered_already))
        out.put(at, [introduction], at)

    def _forward(self, buffer: Buffer, at: int, end: int, in_hand: _InHand, out: Outgoing) -> None:
        question = in_hand.question
        if self._connection.introduction is not None:
            self._introduce(self._connection.introduction, at, out)
        if in_hand.replaced or in_hand.instead:
            body_at = request_header(buffer, at, end).body
            asked, body = bytes(buffer[at + 4 : body_at]), question.body
            if (instead := in_hand.instead) is not None:
                asked, body = _KIND.pack(instead.api_key, instead.api_version) + asked[_KIND.size :], instead.body
            out.put(at, [(len(asked) + len(body)).to_bytes(4, "big") + asked, body], end)
        if question.api_key == Api.PRODUCE:
            acks_at = produce_acks_at(question.api_version, question.body, 0, len(question.body))
            if acks_at < 0:
                raise Malformed("a Produce request ends before its acks")
            if len(question.body) >= acks_at + _ACKS_AND_TIMEOUT:
                self._note_timeout(question.body, acks_at)
            if not int_at(question.body, acks_at, acks_at + 2):
                self._connection.metering.unanswered(question.api_key, end - at)
                return
        kept = None
        kind = in_hand.kind
        if kind.requests or kind.responses:
            # The buffer is used again long before the response comes.
            kept = question
            kept.body = bytes(question.body) if kind.requests else b""
        entry = Entry(question.correlation_id, question.api_key, question.api_version, kind.responses, kept)
        entry.looked_into, entry.for_others = kind.response_whole, in_hand.asked
        self._enter(entry, kind)
        self._connection.metering.entered(entry, end - at)


def _answered_already(_: bytes) -> None:
    """The client does not get this answer: it has had one."""


def _refusal(question: Question) -> bytes:
    body = refusal(question.api_version, question.body)
    if body is None:
        raise Refused(
            f"the client writes with Produce version {question.api_version}, which Kafka has retired (KIP-896), and "
            "with acks=0, so that no answer can tell it: use a client of Kafka 0.11 or newer"
        )
    return body
