"""Reordered: a record stands in the surviving log behind a later one of the same producer and partition."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History


def reordered(history: History) -> Findings:
    """Count records whose first copy has a lower sequence number than one before it.

    Only first copies are judged: a late second copy is a duplicate, and to count it here too would report
    one damage twice. Records that nobody sent have no place in any order.
    """
    tally = Tally()
    for (topic, partition), rows in history.log.items():
        seen: set[str] = set()
        highest: dict[str, int] = {}
        for row in rows:
            write = history.sent.get((topic, partition, row.id))
            if write is None or row.id in seen:
                continue
            seen.add(row.id)
            if write.seq < highest.get(write.client, -1):
                tally.add(Place(write.client, topic, partition), "reordered", row.id)
            else:
                highest[write.client] = write.seq
    return tally.findings()
