"""Answers shared by those who ask the same at the same moment: ApiVersions and Metadata.

After a failover every client comes back at once and asks for everything. The first question of a kind goes to the
cluster, the others wait for its answer, and all get the same bytes: walked once, its addresses replaced once. An answer
is good for so short a time that nobody can tell it from one that was asked for then: a broker's own picture of the
cluster is as old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from appliance.exchange.route import Route

FRESH_SECONDS = 0.25
"""Less than any client's pause before it asks anew, and than brokers take to hear of a new leader."""
_PATIENCE = 1.0
"""Seconds after which somebody else asks: whoever asked may be gone, or its broker stuck."""
_MOST_BYTES = 64 * 1024 * 1024
"""What is kept at the most: a hostile client can ask for a million different lists of topics."""


class Asked(NamedTuple):
    """What makes a question the same as another's."""

    api_key: int
    api_version: int
    body: bytes
    node_id: int | None = None
    """The node that is asked about itself; None: about the cluster, or any node will do."""


class SharedAnswers:
    """The answers that go out by one listener, which says where brokers are. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._route: Route | None = None
        self._answers: dict[Asked, tuple[float, bytes]] = {}
        self._bytes = 0
        self._asked: dict[Asked, float] = {}
        self._waiting: dict[Asked, list[Callable[[], None]]] = {}

    def look_up(self, route: Route, asked: Asked) -> bytes | Literal["wait", "ask"]:
        """Return the body that answers the question; or whether to wait for somebody else's answer, or to ask oneself
        and tell it to `answered`."""
        self._follow(route)
        now = self._clock()
        found = self._answers.get(asked)
        if found is not None and now - found[0] < FRESH_SECONDS:
            return found[1]
        asked_at = self._asked.get(asked)
        if asked_at is not None and now - asked_at < _PATIENCE:
            return "wait"
        self._asked[asked] = now
        return "ask"

    def when_told(self, asked: Asked, look_again: Callable[[], None]) -> None:
        """Call it once, when looking up again makes sense. Must not raise, and must bear being called for nothing."""
        self._waiting.setdefault(asked, []).append(look_again)

    def give_up_on_the_slow(self) -> None:
        """Let others ask what somebody asked long ago. To be called about as often as `_PATIENCE`."""
        late = self._clock() - _PATIENCE
        for asked in [asked for asked in self._waiting if self._asked.get(asked, late) <= late]:
            self._tell(asked)

    def answered(self, route: Route, asked: Asked, body: bytes) -> None:
        """Take note of an answer as the client gets it; one to a question of another route is of no use any more."""
        if route is not self._route:
            return
        self._asked.pop(asked, None)
        before = self._answers.pop(asked, None)
        self._bytes += len(body) - (len(before[1]) if before else 0)
        self._answers[asked] = (self._clock(), body)
        while self._bytes > _MOST_BYTES and self._answers:
            oldest = next(iter(self._answers))
            self._bytes -= len(self._answers.pop(oldest)[1])
        self._tell(asked)

    def _follow(self, route: Route) -> None:
        """Forget everything with a new snapshot: another cluster may serve, or the same one otherwise."""
        if route is not self._route:
            self._route = route
            self._answers.clear()
            self._asked.clear()
            self._bytes = 0
            for asked in list(self._waiting):
                self._tell(asked)

    def _tell(self, asked: Asked) -> None:
        for look_again in self._waiting.pop(asked, ()):
            look_again()
