"""Lost: the client was told that the record is written, and the surviving log does not have it."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History


def lost(history: History) -> Findings:
    """Count acknowledged records that are absent; partitions that were not read are left out."""
    tally = Tally()
    for (topic, partition, record), write in history.sent.items():
        if (
            write.outcome == "acknowledged"
            and (topic, partition, record) not in history.held
            and history.was_read((topic, partition))
        ):
            tally.add(Place(write.client, topic, partition), "lost", record)
    return tally.findings()
