"""What may look at a message on its way, and what it may say about it.

An interceptor is synchronous and returns a verdict value; it neither waits nor sends. It is asked first whether it
`wants` a kind of message: whatever nobody wants stays opaque and is streamed through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from appliance.exchange.message import Answer, Question
from appliance.wire.walk import Buffer

Mode = Literal["refuse", "reset", "blackhole"]


@dataclass(frozen=True)
class Delay:
    """Hold the message this long (and what is behind it on the connection), then go on."""

    seconds: float


@dataclass(frozen=True)
class AskAgain:
    """Hold the message this long (and what is behind it on the connection), then ask the same interceptor again.

    The question keeps its memo, so that the interceptor can tell how often it was asked. Only for requests: a response
    that waited would hold up the broker's connection.
    """

    seconds: float


@dataclass(frozen=True)
class Reply:
    """Answer in place of the broker, which never sees the request; None: drop it (only right where no answer is
    due)."""

    body: bytes | None


@dataclass(frozen=True)
class Replace:
    """Go on with another body."""

    body: bytes


def written(body: Buffer, out: memoryview) -> Replace | None:
    """Return the verdict of who wrote into `out`, the body or a copy (`wire.editing.writable`): what was written in
    place needs no word, nor does a copy in which nothing was."""
    return Replace(bytes(out)) if memoryview(body).readonly and out != body else None


@dataclass(frozen=True)
class Instead:
    """Ask the broker something else. What it answers is taken for the answer to what the client asked: only where both
    are laid out alike, and both requests have headers of one version."""

    api_key: int
    api_version: int
    body: bytes


@dataclass(frozen=True)
class Close:
    """Close the client's connection; `reason` is for the log."""

    reason: str


RequestVerdict = Delay | AskAgain | Reply | Replace | Instead | Close | None
"""None: go on unchanged."""
ResponseVerdict = Delay | Replace | Close | None


class Interceptor(Protocol):
    """One behaviour on the way of messages. State that is shared between connections must survive any interleaving.

    One that says the same to every client of a route, whoever asks, may have an attribute `same_for_all = True`: what
    it makes of an answer may then be shared (`same_for_all`).
    """

    def wants_request(self, api_key: int, api_version: int) -> bool:
        """Return whether `on_request` is to see requests of this kind."""

    def wants_response(self, api_key: int, api_version: int) -> bool:
        """Return whether `on_response` is to see responses of this kind."""

    def on_request(self, question: Question) -> RequestVerdict:
        """Look at a request that is whole in memory."""

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Look at a response that is whole in memory, with the request that it answers."""


def same_for_all(interceptor: Interceptor) -> bool:
    """Return whether it makes the same of a message for every client of its route, and counts nothing."""
    return getattr(interceptor, "same_for_all", False)


class InPlace(Protocol):
    """Changes fields of one Fetch response as it passes, each in its place and never its size."""

    fields: tuple[str, ...]
    """The fields that it wants to see, by dotted path; `records.size` is the length in front of records."""

    def see(self, field: int, buffer: bytearray | memoryview, start: int, end: int) -> None:
        """Look at the field `buffer[start:end]`, an index into `fields`; write into it as need be. Raises Malformed."""

    def batches(self, buffer: bytearray | memoryview, start: int, end: int, left: int) -> int:
        """Look at the next part of the records whose size was seen last; return up to where it has been used up.

        `left` is how many bytes of them are still to come from `start` on. What was not used up is given again, with
        more behind it. Raises Malformed.
        """


@runtime_checkable
class Streams(Protocol):
    """An interceptor whose `on_response` for Fetch can also be done while the response passes, too large to be
    held."""

    def passing(self, question: Question) -> InPlace | None:
        """Return what changes the response to this request in place; None: it is left alone."""


class Outage(Protocol):
    """A cluster that is unreachable by decree; counts what it did."""

    mode: Mode

    def struck(self, client_id: str) -> None:
        """Note that a connection (by the client id last heard on it, empty if none) was refused, cut or silenced."""
