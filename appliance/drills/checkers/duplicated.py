"""Duplicated: a record stands in the surviving log more than once."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History


def duplicated(history: History) -> Findings:
    """Count extra copies: a record that stands there n times counts n - 1."""
    tally = Tally()
    for (topic, partition), rows in history.log.items():
        seen: set[str] = set()
        for row in rows:
            if row.id in seen:
                tally.add(Place(history.author(row), topic, partition), "duplicated", row.id)
            seen.add(row.id)
    return tally.findings()
