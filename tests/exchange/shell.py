"""A shell around an Exchange without sockets: does what a step says, and keeps what came out on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from appliance.exchange.exchange import Exchange
from appliance.exchange.interceptor import Interceptor, RequestVerdict, ResponseVerdict
from appliance.exchange.limits import Limits
from appliance.exchange.message import Answer, Question
from appliance.exchange.route import Route, Target
from appliance.exchange.step import Step, Then
from appliance.exchange.topology import HostPort, Knowledge
from appliance.wire.headers import REQUEST_HEAD, request_frame

HEARTBEAT = 12
"""An API that nobody looks into."""


def advertise(node_id: int | None) -> HostPort:
    """Say where a node is reached through the gateway."""
    return ("gateway.example", 9092 if node_id is None else 20_000 + node_id % 1000)


@dataclass
class Scripted:
    """An interceptor for requests and responses of some APIs that says what it was told to, then nothing."""

    keys: frozenset[int]
    requests: list[RequestVerdict] = field(default_factory=list)
    responses: list[ResponseVerdict] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    """Bodies, as they were when it was asked."""
    answered: list[bytes] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    deaf: bool = False
    """Wants no responses."""

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return api_key in self.keys

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return not self.deaf and self.wants_request(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        self.seen.append(bytes(question.body))
        return self.requests.pop(0) if self.requests else None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        self.answered.append(bytes(answer.body))
        self.questions.append(answer.question)
        return self.responses.pop(0) if self.responses else None


class Shell:
    """Gives the Exchange every byte in a new buffer and at another place in it than the time before."""

    def __init__(self, *interceptors: Interceptor, fenced: bool = False, limits: Limits | None = None) -> None:
        route = Route("orders", Target("primary", (("real-1", 9092),)), interceptors, fenced=fenced)
        self.exchange = Exchange(route, Knowledge("primary"), advertise, limits or Limits())
        self.upstream = b""
        """What the broker has received."""
        self.client = b""
        """What the client has received."""
        self.waits: list[float] = []
        self.doors = False
        self._held = {"up": bytearray(), "down": bytearray()}
        self._turns = 0

    def reroute(self, *interceptors: Interceptor, fenced: bool = False) -> None:
        """Publish another snapshot."""
        self.exchange.route = replace(self.exchange.route, interceptors=interceptors, fenced=fenced)

    def send(self, data: bytes, cuts: Iterable[int] = ()) -> Step:
        """Let the client send this, cut into pieces; return the last step."""
        for piece in _cut(data, cuts):
            step = self._pump("up", self.exchange.requests, piece)
        return step

    def answer(self, data: bytes, cuts: Iterable[int] = ()) -> Step:
        """Let the broker send this, cut into pieces; return the last step."""
        for piece in _cut(data, cuts):
            step = self._pump("down", self.exchange.responses, piece)
        return step

    def send_once(self, data: bytes = b"") -> Step:
        """Let the client send this; return the first step and do nothing of what it says but sending."""
        return self._ask("up", self.exchange.requests, data)

    def answer_once(self, data: bytes = b"") -> Step:
        """Let the broker send this; return the first step and do nothing of what it says but sending."""
        return self._ask("down", self.exchange.responses, data)

    def _pump(self, side: str, ask: Callable[[bytearray, int, int], Step], data: bytes) -> Step:
        while True:
            step = self._ask(side, ask, data)
            data = b""
            if step.then is Then.WAIT:
                self.waits.append(step.seconds)
            elif step.then is Then.ANSWER:
                self.client += b"".join(self.exchange.local_answers())
            else:
                return step

    def _ask(self, side: str, ask: Callable[[bytearray, int, int], Step], data: bytes) -> Step:
        held = self._held[side]
        held += data
        self._turns += 1
        start = self._turns % 7
        buffer = bytearray(b"\xee" * start + held + b"\xee" * 3)
        step = ask(buffer, start, start + len(held))
        sent = b"".join(step.pieces)
        buffer[:] = b"\xdd" * len(buffer)
        del held[: step.end - start]
        self.doors = self.doors or step.doors
        if side == "up":
            self.upstream += sent
        else:
            self.client += sent
        return step


def _cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def heartbeat(correlation_id: int, body: bytes = b"group", version: int = 4) -> bytes:
    """Return a request that nobody looks into."""
    return request_frame(HEARTBEAT, version, correlation_id, "app", body)


def produce(correlation_id: int, *, acks: int = -1, rest: bytes = b"records", version: int = 3) -> bytes:
    """Return a Produce request: no transactional id, acks, and whatever follows."""
    null = b"\xff\xff" if version < 9 else b"\0"
    return request_frame(0, version, correlation_id, "writer", null + acks.to_bytes(2, "big", signed=True) + rest)


def head_of(frame: bytes) -> tuple[int, int, int, int]:
    """Return size, API key, version and correlation id of a request frame."""
    size, api_key, version, correlation_id = REQUEST_HEAD.unpack_from(frame)
    return size, api_key, version, correlation_id
