"""Redelivered: a consumer got a record that it had already."""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History, Key


def redelivered(history: History) -> Findings:
    """Count deliveries beyond those that the log accounts for.

    A record with two copies in a log is rightly delivered twice, at two offsets: that is the log's damage
    (`duplicated`), not the consumer's. But two offsets alone prove nothing, for the same record has
    another offset on another cluster. So a reader may get a record once for each offset at which it came,
    and no more often than any one cluster has copies of it; what is above that counts. The members of a
    group are one reader.
    """
    copies: dict[tuple[str, Key], int] = {}
    for row in history.ledger.stored:
        held = (row.cluster, (row.topic, row.partition, row.id))
        copies[held] = copies.get(held, 0) + 1
    most: dict[Key, int] = {}
    for (_, key), count in copies.items():
        if count > 1:
            most[key] = max(count, most.get(key, 1))

    tally = Tally()
    got: dict[tuple[str, Key], int] = {}
    again: dict[tuple[str, Key], list[int]] = {}
    for delivery in history.ledger.deliveries:
        reader = history.readers.get(delivery.client, delivery.client)
        had = (reader, (delivery.topic, delivery.partition, delivery.id))
        if had in got:
            again.setdefault(had, [got[had]]).append(delivery.offset)
        else:
            got[had] = delivery.offset
    for (reader, key), offsets in again.items():
        count = len(offsets) - min(len(set(offsets)), most.get(key, 1))
        if count:
            tally.add(Place(reader, key[0], key[1]), "redelivered", key[2], count)
    return tally.findings()
