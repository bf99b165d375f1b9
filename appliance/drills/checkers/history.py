"""A ledger made ready for the checkers: one pass over its rows that they share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from appliance.drills.ledger import RecordLedger, Stored, Write

Partition: TypeAlias = tuple[str, int]
Key: TypeAlias = tuple[str, int, str]
"""Topic, partition, id: a record in another partition than it was sent to is not that record."""


@dataclass(frozen=True)
class History:
    """What was sent, what the surviving log holds, and who counts as one reader."""

    ledger: RecordLedger
    sent: Mapping[Key, Write]
    log: Mapping[Partition, list[Stored]]
    """The surviving cluster's rows in the order of their offsets."""
    held: frozenset[Key] | set[Key]
    """All that is in `log`."""
    read: Collection[Partition] | None
    """The partitions of which the surviving log was read; None: all. What was not read can be judged neither
    way.
    """
    readers: Mapping[str, str]
    """Consumer -> the reader that it is part of, where it shares a group with others; a consumer by itself
    otherwise.
    """

    late: Collection[str]
    """Readers that were told to begin at the end of the log and not at its beginning."""

    @classmethod
    def of(
        cls,
        ledger: RecordLedger,
        surviving: str,
        *,
        read: Collection[Partition] | None = None,
        readers: Mapping[str, str] | None = None,
        late: Collection[str] = (),
    ) -> History:
        """Sort a ledger for the checkers; `surviving` is the cluster whose log decides."""
        log: dict[Partition, list[Stored]] = {}
        for row in ledger.stored:
            if row.cluster == surviving:
                log.setdefault((row.topic, row.partition), []).append(row)
        for rows in log.values():
            rows.sort(key=lambda row: row.offset)
        return cls(
            ledger=ledger,
            sent={(write.topic, write.partition, write.id): write for write in ledger.writes},
            log=log,
            held={(row.topic, row.partition, row.id) for rows in log.values() for row in rows},
            read=read,
            readers=readers or {},
            late=late,
        )

    def was_read(self, partition: Partition) -> bool:
        """Return whether the surviving log of this partition is known."""
        return self.read is None or partition in self.read

    def author(self, row: Stored) -> str:
        """Return the client that a stored record comes from, by its id where nobody sent it."""
        write = self.sent.get((row.topic, row.partition, row.id))
        return write.client if write else row.id.split("/", 1)[0]
