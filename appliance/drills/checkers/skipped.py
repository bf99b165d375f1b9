"""Skipped: a record of the surviving log that a consumer passed over and never got."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History, Partition


def skipped(history: History) -> Findings:
    """Count the records that never came to a reader, from the beginning of the log to its very end.

    Judged by id along the surviving log, never by the offset at which a record came: offsets differ between clusters.
    The head counts, for a drill's consumers read from the beginning; only a `late` one begins at the earliest place of
    the log of which it got anything. The tail counts: before the logs are read consumers are given time to reach the
    end, and one that did not is one that stands still. A partition of which a reader got nothing, while it got others
    of the topic, is skipped whole. A reader that got nothing whatever is not judged here: that is no traffic, which is
    never a pass. The members of a group are one reader.
    """
    got: dict[str, dict[Partition, set[str]]] = {}
    for delivery in history.ledger.deliveries:
        reader = history.readers.get(delivery.client, delivery.client)
        got.setdefault(reader, {}).setdefault((delivery.topic, delivery.partition), set()).add(delivery.id)

    tally = Tally()
    for reader, partitions in got.items():
        topics = {topic for topic, _ in partitions}
        for (topic, partition), rows in history.log.items():
            if topic not in topics:
                continue
            ids = partitions.get((topic, partition), set())
            first = 0
            if reader in history.late:
                first = next((index for index, row in enumerate(rows) if row.id in ids), len(rows))
            missed = dict.fromkeys(row.id for row in rows[first:] if row.id not in ids)
            for record in missed:
                tally.add(Place(reader, topic, partition), "skipped", record)
    return tally.findings()
