"""What the shell is told to do with the bytes that it has read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from appliance.exchange.message import Question
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer


class Then(Enum):
    """What the shell does after it has sent a step's pieces."""

    READ = auto()
    """Read more bytes."""
    HOLD = auto()
    """Wait until a write may go upstream (`Connection.kept_from_writing`), then ask again."""
    WAIT = auto()
    """Wait `Step.seconds`, then ask again."""
    OTHERS = auto()
    """Somebody else's answer is on its way: ask again when `SharedAnswers` calls what `Exchange.when_told` gave it."""
    ANSWER = auto()
    """Send the client what `Exchange.local_answers` returns, then ask again."""
    AUTHENTICATE = auto()
    """Find out what to answer to the SASL request `Step.question`, give it to `Exchange.answer`, then ask again."""
    YIELD = auto()
    """Wait until the upstream connection is no longer reserved, then ask again."""


@dataclass(slots=True)
class Step:
    pieces: list[Buffer]
    """To be sent, in order; parts of the buffer that was given, and new bytes."""
    end: int
    """The buffer is used up to here; what lies behind must be given again."""
    then: Then = Then.READ
    need: int = 0
    """So many bytes, from `end` on, must be together in the buffer before asking again makes sense."""
    seconds: float = 0.0
    doors: bool = False
    """New nodes were learned: their doors must be open before the pieces are sent."""
    question: Question | None = None
    """With AUTHENTICATE: the request, with a body of its own."""


class Refused(Malformed):
    """The connection must be closed: not because its bytes are malformed, but because somebody said so."""

    reason: ClassVar[str] = "policy"
    """In one word, for counting."""


class OverLimit(Refused):
    """It is more, or lasts longer, than a limit allows."""

    reason = "limit"


class NotSecured(Refused):
    """It does not get through the TLS handshake, or asks for a host name that nobody has."""

    reason = "tls"


class NotAuthenticated(Refused):
    """Nobody knows whose it is, or nobody knows any more."""

    reason = "authentication"


class Outgoing:
    """Collects a step's pieces: runs of the buffer as they are, and what stands in place of other parts of it."""

    __slots__ = ("_buffer", "_from", "doors", "pieces")

    def __init__(self, buffer: Buffer, start: int) -> None:
        self._buffer = buffer
        self._from = start
        self.pieces: list[Buffer] = []
        self.doors = False

    def put(self, at: int, pieces: list[Buffer] | list[bytes], resume: int) -> None:
        """Let the buffer up to `at` go as it is, then these pieces, and go on with the buffer from `resume`."""
        if at > self._from:
            self.pieces.append(memoryview(self._buffer)[self._from : at])
        self.pieces += pieces
        self._from = resume

    def step(self, at: int, then: Then = Then.READ, *, need: int = 0, seconds: float = 0.0) -> Step:
        """Let the buffer up to `at` go as it is, and end the step there."""
        if at > self._from:
            self.pieces.append(memoryview(self._buffer)[self._from : at])
            self._from = at
        return Step(self.pieces, at, then, need, seconds, self.doors)
