"""Requests in flight on one connection, and with them the order of responses.

Kafka answers in the order of the requests. So the ledger is a queue: a response from upstream must belong to its head,
and an answer that the gateway makes itself waits in the queue until everything before it has gone to the client. A
request that is never answered (Produce with acks=0) does not enter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.exchange.meters import ApiMeters, Metering
from appliance.wire.headers import is_known_write

if TYPE_CHECKING:
    from appliance.exchange.interceptor import Interceptor
    from appliance.exchange.message import Question
    from appliance.exchange.meters import Meter
    from appliance.exchange.shared_answers import Asked


@dataclass(slots=True)
class Entry:
    """A request whose response has not yet gone to the client."""

    correlation_id: int
    api_key: int
    api_version: int
    interceptors: tuple[Interceptor, ...] = ()
    """Those that want the response, in the order in which they get it; from the snapshot that the request began
    with."""
    question: Question | None = None
    local: bytes | None = None
    """The whole response frame, where the gateway answers itself; or its beginning, `shared` being the rest."""
    looked_into: bool = True
    """Whether the response is needed whole, or at least walked."""
    answered: Callable[[bytes], None] | None = None
    """Gets the body of the response, where the gateway itself has asked: the client gets nothing."""
    shared: bytes = b""
    """Bytes that others are answered with too."""
    for_others: Asked | None = None
    """What was asked, where others wait for what the broker answers here."""
    meter: Meter | None = None
    """What counts it, and the times by which it does: see Metering. None: nothing does."""
    came: float = 0.0
    left: float | None = None
    began: float | None = None


class Ledger:
    """The queue. `writes` is the number of requests in it that write and went upstream."""

    def __init__(self, metering: Metering | None = None) -> None:
        self._entries: deque[Entry] = deque()
        self.metering = metering or Metering(ApiMeters())
        self.writes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, entry: Entry) -> None:
        """Take note of a request that goes upstream, or of one that is answered here (`local`)."""
        self._entries.append(entry)
        if entry.local is None and is_known_write(entry.api_key):
            self.writes += 1

    def entries(self) -> Sequence[Entry]:
        """Return the requests whose responses are due, in order."""
        return tuple(self._entries)

    def head(self) -> Entry | None:
        """Return the request whose response is due next."""
        return self._entries[0] if self._entries else None

    def leave(self) -> None:
        """Strike the head off: its response has gone to the client."""
        entry = self._entries.popleft()
        if entry.local is None and is_known_write(entry.api_key):
            self.writes -= 1
        if entry.meter is not None:
            self.metering.replying.append(entry)

    def take_local(self) -> list[bytes]:
        """Strike off and return the gateway's own answers that are due now, in order."""
        due: list[bytes] = []
        while self._entries and self._entries[0].local is not None:
            due.append(self._entries[0].local)
            if self._entries[0].shared:
                due.append(self._entries[0].shared)
            self.leave()
        return due
