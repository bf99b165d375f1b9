"""How many records are due: a token bucket that does not make up for a stall."""

from __future__ import annotations

BURST_SECONDS = 0.1
"""How much of a stall is made up for: after 10 s of sleep no application sends 10 s of records at once."""


class Pacer:
    """Hand out records at a steady rate per second, on a clock that the caller reads."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._tokens = 0.0
        self._at = now

    def take(self, now: float) -> int:
        """Return how many records are due now; they count as sent."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        due = int(self._tokens)
        self._tokens -= due
        return due

    def wait(self, now: float) -> float:
        """Return the seconds until the next record is due, 0 if one is due now."""
        missing = 1.0 - self._tokens - (now - self._at) * self._rate
        return max(0.0, missing / self._rate)
