"""A canary producer: writes to every partition in turn, at a steady rate, for as long as the drill lasts."""

from __future__ import annotations

import math

from appliance.drills.traffic.client import Role, Site
from appliance.drills.traffic.pacing import Pacer
from appliance.drills.traffic.writer import Writer, WriterSettings

_TURN_SECONDS = 0.05
"""How long the thread stays inside librdkafka before it looks whether it should end."""


class Canary:
    """See `Client`."""

    role: Role = "producer"

    def __init__(self, settings: WriterSettings, site: Site, *, rate: float, partitions: int) -> None:
        self.name, self.topic = settings.name, settings.topic
        self.detail = f"{settings.describe()}, {rate:g}/s over {partitions} partitions"
        self.connected = False
        self.leftover = ""
        self._writer = Writer(settings, site)
        self._rate, self._partitions = rate, partitions
        self._clock = site.logbook.clock
        self._deadline = math.inf
        self._sending = True

    def run(self) -> None:
        """Write until told to wind up, then flush."""
        while self._sending and not self.connected:
            self.connected = self._writer.partitions(timeout=1.0) >= self._partitions
        pacer = Pacer(self._rate, self._clock())
        turn = 0
        while self._sending:
            for _ in range(pacer.take(self._clock())):
                self._writer.write(turn % self._partitions)
                turn += 1
            self._writer.serve(min(_TURN_SECONDS, pacer.wait(self._clock())))
        while self._clock() < self._deadline and self._writer.flush(_TURN_SECONDS):
            pass
        left = self._writer.finish(0.0)
        if left:
            self.leftover = f"{left} records had no answer when it was time to end: counted as indeterminate"

    def wind_up(self, seconds: float) -> None:
        """Stop sending and flush for at most this long."""
        self._deadline = self._clock() + seconds
        self._sending = False
