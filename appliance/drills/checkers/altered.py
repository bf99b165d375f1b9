"""Altered: content that is not what was sent under that id, and records that nobody sent.

Both say the same of the system: what it holds or hands out is not what it was given.
"""

from __future__ import annotations

from appliance.drills.checkers.findings import Findings, Place, Tally
from appliance.drills.checkers.history import History, Key


def altered(history: History) -> Findings:
    """Count each record once, however many of its copies or deliveries are wrong.

    `altered`: the digest differs. `alien`: stored or delivered, and sent by nobody to that partition.
    `refused`: stored or delivered, though the client was told that it is certainly not written.
    """
    tally = Tally()
    counted: set[tuple[str, Key]] = set()

    def count(client: str, what: str, key: Key) -> None:
        if (client, key) not in counted:
            counted.add((client, key))
            tally.add(Place(client, key[0], key[1]), what, key[2])

    for (topic, partition), rows in history.log.items():
        for row in rows:
            key = (topic, partition, row.id)
            write = history.sent.get(key)
            if write is None:
                count(history.author(row), "alien", key)
            elif write.outcome == "failed":
                count(write.client, "refused", key)
            elif write.digest != row.digest:
                count(write.client, "altered", key)
    for delivery in history.ledger.deliveries:
        key = (delivery.topic, delivery.partition, delivery.id)
        write = history.sent.get(key)
        if write is None or write.outcome == "failed":
            count(delivery.client, "alien" if write is None else "refused", key)
    return tally.findings()
