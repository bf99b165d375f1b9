"""Broker to client: which frames pass as they come, which are looked into, and the gateway's own answers in their
turn."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.exchange import addresses, versions
from appliance.exchange.connection import Connection
from appliance.exchange.interceptor import Close, Delay, InPlace, Replace, Streams
from appliance.exchange.ledger import Entry
from appliance.exchange.message import Answer
from appliance.exchange.step import Outgoing, Refused, Step, Then
from appliance.exchange.streaming import PassingFetch
from appliance.wire.apis import Api, name_of
from appliance.wire.editing import spliced
from appliance.wire.error_codes import errors_in
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, SIZE, response_body
from appliance.wire.walk import Buffer

_HELD = 64 * 1024
"""Fetch responses up to this size are held until they are whole: their node endpoints can then be rewritten, not
blanked."""
_STREAM_HEAD = 64
"""So much of a response that streams has to be there for its header to be read: Fetch's own fields alone are longer."""

_BUSY = frozenset({Api.PRODUCE, Api.FETCH, Api.METADATA, Api.SHARE_FETCH, Api.SHARE_ACKNOWLEDGE})
"""Their answers are walked only as far as the first node: the error codes of thousands of partitions are not worth
another walk, unless somebody has had the answer decoded anyway."""


@dataclass(slots=True)
class _InHand:
    """A response that is with its interceptors, one of which may have told it to wait."""

    turn: int = 0
    body: bytes | None = None
    """What stands in place of the body in the buffer."""


class Responses:
    """The other direction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._skip = 0
        """Bytes of the current opaque frame that have not passed yet."""
        self._fetch: PassingFetch | None = None
        self._in_hand: _InHand | None = None
        self._within = False

    @property
    def within_frame(self) -> bool:
        """Whether the bytes given so far end within a response."""
        return self._within or self._skip > 0 or self._fetch is not None

    def take(self, buffer: bytearray | memoryview, start: int, end: int) -> Step:
        """Say what to do with the broker's bytes `buffer[start:end]`. Raises Malformed."""
        step = self._take(buffer, start, end)
        self._within = step.end < end
        return step

    def _take(self, buffer: bytearray | memoryview, start: int, end: int) -> Step:
        out, at = Outgoing(buffer, start), start
        self._put_local(at, out)
        while True:
            if self._skip:
                passing = min(self._skip, end - at)
                at += passing
                self._skip -= passing
                if self._skip:
                    return out.step(at)
                self._leave(at, out)
            elif self._fetch is not None:
                at = self._fetch.pass_on(buffer, at, end)
                if not self._fetch.done:
                    return out.step(at)
                self._fetch = None
                self._leave(at, out)
            if end - at < RESPONSE_HEAD.size:
                _check_beginning(buffer, at, end)
                return out.step(at)
            size, correlation_id = RESPONSE_HEAD.unpack_from(buffer, at)
            entry = self._expected(size, correlation_id)
            self._connection.metering.began(entry, 4 + size)
            if not entry.looked_into:
                self._skip = 4 + size
                continue
            frame_end = at + 4 + size
            if frame_end > end:
                if not self._streams(entry, size):
                    self._check_size(size, entry)
                    return out.step(at, need=4 + size)
                if end - at < _STREAM_HEAD:
                    return out.step(at, need=_STREAM_HEAD)
                body = response_body(buffer, at, end, entry.api_key, entry.api_version)
                self._fetch = PassingFetch(entry.api_version, frame_end - body, _patches(entry))
                at = body
                continue
            seconds = self._decide(buffer, at, frame_end, entry, out)
            if seconds is not None:
                return out.step(at, Then.WAIT, seconds=seconds)
            at = frame_end
            self._leave(at, out)

    def _leave(self, at: int, out: Outgoing) -> None:
        """Strike off the response that ends at `at`; the gateway's own answers that were behind it go out now."""
        self._connection.ledger.leave()
        self._put_local(at, out)

    def _put_local(self, at: int, out: Outgoing) -> None:
        ledger = self._connection.ledger
        head = ledger.head()
        if head is not None and head.local is not None:
            out.put(at, ledger.take_local(), at)

    def _expected(self, size: int, correlation_id: int) -> Entry:
        entry = self._connection.ledger.head()
        if size < 4:
            raise Malformed(_too_small(size))
        if entry is None:
            raise Malformed(f"the broker answered request {correlation_id}, but no request is waiting")
        if entry.correlation_id != correlation_id:
            raise Malformed(f"expected the answer to request {entry.correlation_id}, found one to {correlation_id}")
        return entry

    def _check_size(self, size: int, entry: Entry) -> None:
        if size > self._connection.limits.frame:
            limit = self._connection.limits.frame
            raise Malformed(f"a {name_of(entry.api_key)} response of {size} bytes is over the limit of {limit}")

    @staticmethod
    def _streams(entry: Entry, size: int) -> bool:
        """Return whether the response may pass while it is walked; others are needed whole."""
        if entry.api_key != Api.FETCH or size <= _HELD:
            return False
        return all(isinstance(each, Streams) for each in entry.interceptors)

    def _decide(self, buffer: bytearray | memoryview, at: int, end: int, entry: Entry, out: Outgoing) -> float | None:
        """Take one whole response through its interceptors and rewrite its addresses; return seconds if it is to
        wait."""
        body_at = response_body(buffer, at, end, entry.api_key, entry.api_version)
        if entry.answered is not None:
            entry.answered(bytes(buffer[body_at:end]))
            out.put(at, [], end)
            return None
        in_hand, self._in_hand = self._in_hand or _InHand(), None
        original = memoryview(buffer)[body_at:end]
        while entry.question is not None and in_hand.turn < len(entry.interceptors):
            seen: Buffer = original if in_hand.body is None else in_hand.body
            verdict = entry.interceptors[in_hand.turn].on_response(Answer(entry.question, seen))
            in_hand.turn += 1
            match verdict:
                case Delay(seconds):
                    self._in_hand = in_hand
                    return seconds
                case Replace(replaced):
                    in_hand.body = replaced
                case Close(reason):
                    raise Refused(reason)
        body: Buffer = original if in_hand.body is None else in_hand.body
        if entry.meter is not None and (entry.interceptors or entry.api_key not in _BUSY):
            entry.meter.count_errors(errors_in(entry.api_key, entry.api_version, body))
        rewritten = self._rewritten(entry, body, out)
        changed = in_hand.body if rewritten is None else rewritten
        if changed is not None:
            head = (body_at - at - 4 + len(changed)).to_bytes(4, "big") + bytes(buffer[at + 4 : body_at])
            out.put(at, [head, changed], end)
        answers = self._connection.shared_answers
        if entry.for_others is not None and answers is not None:
            answers.answered(self._connection.route, entry.for_others, bytes(original if changed is None else changed))
        return None

    def _rewritten(self, entry: Entry, body: Buffer, out: Outgoing) -> bytes | None:
        """Return the body as the client may see it; None where it may see it as it is."""
        if entry.api_key == Api.API_VERSIONS:
            return versions.limited(entry.api_version, body, 0, len(body))
        if not addresses.carries_addresses(entry.api_key, entry.api_version):
            return None
        connection = self._connection
        rewritten = addresses.rewrite(
            entry.api_key, entry.api_version, body, 0, len(body), connection.knowledge, connection.advertise
        )
        out.doors = out.doors or rewritten.news
        return spliced(body, 0, len(body), rewritten.edits) if rewritten.edits else None


def _patches(entry: Entry) -> list[InPlace]:
    """Return what changes a response that streams through, in order."""
    if entry.question is None:
        return []
    question = entry.question
    patches = [each.passing(question) for each in entry.interceptors if isinstance(each, Streams)]
    return [each for each in patches if each is not None]


def _check_beginning(buffer: Buffer, at: int, end: int) -> None:
    """Refuse a frame too small for a response by its size alone: behind that no more bytes need ever come."""
    if end - at >= SIZE.size and (size := SIZE.unpack_from(buffer, at)[0]) < 4:
        raise Malformed(_too_small(size))


def _too_small(size: int) -> str:
    return f"expected a response, found a frame of {size} bytes"
