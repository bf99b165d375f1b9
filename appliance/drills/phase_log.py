"""Which phase a run is in: each begun phase is ended in the record, whatever ends it."""

from __future__ import annotations

from appliance.drills.record import RunClock, RunRecord
from appliance.journal.events import Phase, PhaseEnded, PhaseStarted


class PhaseLog:
    """Record phases. They follow one another; the next begins only after `end`."""

    def __init__(self, clock: RunClock, record: RunRecord) -> None:
        self._clock, self._record = clock, record
        self._open: Phase | None = None

    def begin(self, phase: Phase) -> None:
        """Begin a phase."""
        assert self._open is None, f"{self._open} has not ended"
        self._open = phase
        self._record.add(PhaseStarted(at=self._clock(), phase=phase))

    def end(self, *, ok: bool = True, detail: str = "") -> None:
        """End the phase that is open; nothing happens where none is (an error may come between two phases)."""
        if self._open is not None:
            self._record.add(PhaseEnded(at=self._clock(), phase=self._open, ok=ok, detail=detail))
            self._open = None
