"""Indeterminate: sent, neither acknowledged nor certainly refused. In the log or not, both are legal."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History


def indeterminate(history: History) -> tuple[Findings, int]:
    """Return the indeterminate records, and how many of them the surviving log has after all."""
    tally = Tally()
    found = 0
    for key, write in history.sent.items():
        if write.outcome == "indeterminate":
            held = key in history.held
            found += held
            tally.add(
                Place(write.client, write.topic, write.partition),
                "indeterminate, found" if held else "indeterminate",
                write.id,
            )
    return tally.findings(), found
