"""One client, one broker and an Exchange between them: a function of its seed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from random import Random

from appliance.exchange.exchange import Exchange
from appliance.exchange.step import Refused, Step, Then
from appliance.exchange.topology import HostPort, Knowledge
from appliance.wire.apis import known_versions, response_header_version
from appliance.wire.errors import Malformed
from tests.fuzz import corpus
from tests.fuzz.mutation import damaged
from tests.fuzz.setups import Setup

HONEST = 0.1
"""Share of conversations in which nobody damages anything; there no error is an excuse."""
_MOST_STEPS = 200_000
"""More than bytes that come one at a time need."""


class Wrong(Exception):
    """The exchange did what it must never do."""


class Conversation:
    """`hold` it once; afterwards `said` and `answered` are all bytes that client and broker sent."""

    def __init__(self, setup: Setup, random: Random) -> None:
        self.frames = 0
        """Frames that the exchange has begun to read, at the least: those behind an error are not counted."""
        self.said = bytearray()
        self.answered = bytearray()
        self.ended = "in peace"
        self._setup = setup
        self._random = random
        self._exchange = Exchange(setup.route, Knowledge("primary"), _advertise)
        for topic_id, name in setup.topics.items():
            self._exchange.knowledge.learn_topic(topic_id, name)
        if random.random() < 0.9:
            self._exchange.knowledge.cluster_id = "cluster-of-the-fuzz"
        self._honest = random.random() < HONEST
        self._up, self._down = bytearray(), bytearray()
        self._upstream, self._client = bytearray(), bytearray()
        self._begins: list[int] = []
        """Where the client's frames begin in what it said."""
        self._taken = 0
        self._answered_here = False
        self._steps = 0

    def hold(self) -> None:
        """Let them talk. Raises Wrong, or whatever else than Malformed the exchange raises."""
        try:
            self._talk()
        except Refused:
            self.ended = "refused"
        except Malformed as error:
            self.ended = "malformed"
            if self._honest and not self._setup.exacting:
                raise Wrong(f"honest messages were called malformed: {error}") from error
        finally:
            self.frames += bisect_right(self._begins, self._taken)
        self._judge()

    def _talk(self) -> None:
        exchange, random = self._exchange, self._random
        for _ in range(random.randint(1, 2)):
            self._request_in_pieces(self._asked() for _ in range(random.randint(1, 4)))
            while (entry := exchange.ledger.head()) is not None:
                if entry.local is not None:
                    raise Wrong("an answer of the gateway's own is due and was not sent")
                before = len(exchange.ledger)
                self._answer_in_pieces(self._answer_to(entry.api_key, entry.api_version, entry.correlation_id))
                if len(exchange.ledger) >= before:
                    break  # the answer lied about its size
        if not self._up:
            exchange.end_of_requests()
        exchange.end_of_responses()

    # -- what they say

    def _asked(self) -> bytes:
        random = self._random
        if not self._honest and random.random() < 0.02:
            frame = random.choice(corpus.strangers())
            return frame if random.random() < 0.5 else damaged(frame, random)
        api_key = random.choice(corpus.ON_EVERY_CONNECTION if random.random() < 0.5 else corpus.EVERY_API)
        low, high = known_versions(api_key) or (0, 0)
        sample = random.choice(corpus.requests_of(api_key, random.randint(low, high)))
        frame = sample[:8] + random.randrange(1 << 32).to_bytes(4, "big") + sample[12:]
        return frame if self._honest or random.random() < 0.25 else damaged(frame, random)

    def _answer_to(self, api_key: int, api_version: int, correlation_id: int) -> bytes:
        self.frames += 1
        random = self._random
        known = corpus.responses_to(api_key, api_version)
        tags = b"\0" if response_header_version(api_key, api_version) == 1 else b""
        content = random.choice(known) if known else tags + random.randbytes(random.randint(0, 40))
        number = correlation_id & 0xFFFFFFFF
        if not self._honest and random.random() < 0.01:
            number = random.randrange(1 << 32)
        frame = (4 + len(content)).to_bytes(4, "big") + number.to_bytes(4, "big") + content
        if self._honest or random.random() < 0.25:
            return frame
        broken = bytearray(damaged(frame, random))
        if random.random() < 0.95:
            broken[4:8] = frame[4:8]  # an answer to another request is refused before anything is read
        return bytes(broken)

    # -- the shell

    def _request_in_pieces(self, frames: Iterable[bytes]) -> None:
        data = b""
        for frame in frames:
            self._begins.append(len(self.said) + len(data))
            data += frame
        self.said += data
        for piece in self._pieces(data):
            self._up += piece
            self._ask(self._exchange.requests, self._up, self._upstream)

    def _answer_in_pieces(self, data: bytes) -> None:
        self.answered += data
        for piece in self._pieces(data):
            self._down += piece
            self._ask(self._exchange.responses, self._down, self._client)

    def _ask(self, ask: Callable[[bytearray, int, int], Step], held: bytearray, out: bytearray) -> None:
        """Do what steps say until they want more bytes."""
        exchange = self._exchange
        while True:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise Wrong(f"no end after {_MOST_STEPS} steps")
            buffer = bytearray(held)
            step = ask(buffer, 0, len(buffer))
            if not 0 <= step.end <= len(buffer):
                raise Wrong(f"{step.end} of {len(buffer)} bytes were used up")
            out += b"".join(step.pieces)
            step.pieces.clear()
            del held[: step.end]
            if held is self._up:
                self._taken += step.end
            if step.then is Then.READ:
                if step.need and step.need <= len(held):
                    raise Wrong(f"{step.need} bytes are asked for, and {len(held)} are there")
                return
            if step.then is Then.HOLD:
                if not exchange.route.fenced:
                    raise Wrong("a write is held where no fence is")
                exchange.route = self._setup.opened
            elif step.then is Then.ANSWER:
                self._answered_here = True
                self._client += b"".join(exchange.local_answers())

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        random = self._random
        chance = random.random()
        if chance < 0.6:
            yield data
        elif chance < 0.98 or len(data) > 800:
            at = 0
            for cut in sorted(random.randint(0, len(data)) for _ in range(random.randint(1, 3))):
                yield data[at:cut]
                at = cut
            yield data[at:]
        else:
            for at in range(len(data)):
                yield data[at : at + 1]

    # -- what must hold

    def _judge(self) -> None:
        exchange = self._exchange
        if self._setup.plain and not self._answered_here and self._upstream != self.said[: len(self._upstream)]:
            raise Wrong("a request that nobody may change did not pass byte for byte")
        if len(self._upstream) > 4 * len(self.said) + 1000 or len(self._client) > 4 * len(self.answered) + 4000:
            raise Wrong("more came out than went in")
        if not self._honest:
            return
        if corpus.REAL_HOST in self._client:
            raise Wrong("the client was told where a broker really is")
        if self.ended == "in peace" and (self._up or self._down or len(exchange.ledger)):
            raise Wrong("honest messages were left over")


def _advertise(node_id: int | None) -> HostPort:
    return ("gateway.example", 9092 if node_id is None else 20_000 + node_id % 1000)
