"""Reordered: a record came behind a later one of the same producer and partition, in the surviving log or to a
consumer.
"""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History, Key


def reordered(history: History) -> Findings:
    """Count records whose first copy, or whose first delivery, has a lower sequence number than one before it.

    Only first ones are judged: a late second copy is a duplicate, a second delivery a redelivery, and to count it
    here too would report one damage twice. For the same reason a consumer is not charged with records that the log
    itself has out of order. Records that nobody sent have no place in any order.
    """
    tally = Tally()
    in_log = _in_log(history, tally)
    _delivered(history, tally, in_log)
    return tally.findings()


def _in_log(history: History, tally: Tally) -> set[Key]:
    """Count what the log has out of order, and return it."""
    found: set[Key] = set()
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
                found.add((topic, partition, row.id))
            else:
                highest[write.client] = write.seq
    return found


def _delivered(history: History, tally: Tally, in_log: set[Key]) -> None:
    seen: set[tuple[str, Key]] = set()
    highest: dict[tuple[Place, str], int] = {}
    for delivery in history.ledger.deliveries:
        key = (delivery.topic, delivery.partition, delivery.id)
        write = history.sent.get(key)
        reader = history.readers.get(delivery.client, delivery.client)
        if write is None or key in in_log or (reader, key) in seen:
            continue
        seen.add((reader, key))
        place = Place(reader, delivery.topic, delivery.partition)
        if write.seq < highest.get((place, write.client), -1):
            tally.add(place, "reordered", delivery.id)
        else:
            highest[place, write.client] = write.seq
