"""A canary producer: writes to its partitions in turn, at a steady rate, for as long as the drill lasts."""

from __future__ import annotations

import math
from collections import deque

from appliance.drills.scenario.traffic import Produce
from appliance.drills.traffic.client import Role, Site
from appliance.drills.traffic.librdkafka import describe_producer
from appliance.drills.traffic.pacing import Pacer
from appliance.drills.traffic.writer import Writer

_TURN_SECONDS = 0.05
"""How long the thread stays inside librdkafka before it looks whether it should end."""


class Canary:
    """See `Client`. One that is idle by its declaration writes only what `take_turn` asks for."""

    role: Role = "producer"

    def __init__(self, name: str, produce: Produce, site: Site, *, partitions: int) -> None:
        self.name, self.topic, self.detail = name, produce.topic, describe_producer(produce)
        self.connected = False
        self.leftover = ""
        self.turns_taken = 0
        """Turns whose record's fate is known."""
        self._writer = Writer(name, produce, site)
        self._rate = produce.rate
        self._partitions = produce.partitions or list(range(partitions))
        self._needed = partitions
        self._turns: deque[int] = deque()
        self._clock = site.logbook.clock
        self._deadline = math.inf
        self._sending = True

    def run(self) -> None:
        """Write until told to wind up, then flush."""
        while self._sending and not self.connected:
            self.connected = self._writer.partitions(timeout=1.0) >= self._needed
        if self._rate:
            self._write_steadily()
        else:
            self._write_in_turns()
        while self._clock() < self._deadline and self._writer.flush(_TURN_SECONDS):
            pass
        left = self._writer.finish(0.0)
        if left:
            self.leftover = f"{left} records had no answer when it was time to end: indeterminate"

    def wind_up(self, seconds: float) -> None:
        """Stop sending and flush for at most this long."""
        self._deadline = self._clock() + seconds
        self._sending = False

    def take_turn(self, partition: int) -> None:
        """Write one record to this partition and wait for its fate before anything else is written."""
        self._turns.append(partition)

    def _write_steadily(self) -> None:
        pacer = Pacer(self._rate, self._clock())
        count = 0
        while self._sending:
            self._take_turns()
            for _ in range(pacer.take(self._clock())):
                self._writer.write(self._partitions[count % len(self._partitions)])
                count += 1
            self._writer.serve(min(_TURN_SECONDS, pacer.wait(self._clock())))

    def _write_in_turns(self) -> None:
        while self._sending:
            self._take_turns()
            self._writer.serve(_TURN_SECONDS)

    def _take_turns(self) -> None:
        while self._turns:
            self._writer.write(self._turns.popleft())
            while self._clock() < self._deadline and self._writer.flush(_TURN_SECONDS):
                pass
            self.turns_taken += 1
