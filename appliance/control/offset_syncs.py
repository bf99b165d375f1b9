"""MirrorMaker's offset syncs, as far as they are needed for maps: all of them in order, without those that say
nothing new.

A sync is the pair of one record's offsets on both clusters. MirrorMaker writes one for the first record of each life
of its own, for the first one behind a gap on the source, and now and then (`offset.lag.max`). Between two syncs with
the same difference nothing was left out and nothing added; so of a run of such only the ends are kept, and the memory
that this takes follows the number of gaps, not of records.

The syncs lie on the source. Whoever wants to map positions after the source has been lost must have read them before:
`follow` does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from appliance.control.datapath import ClusterView, Partition

_KEY_HEAD = struct.Struct(">h")
_KEY_TAIL = struct.Struct(">i")
_VALUE = struct.Struct(">qq")


class OffsetSync(NamedTuple):
    """The same record's offset on both clusters."""

    upstream: int
    downstream: int


def read_sync(key: bytes | None, value: bytes | None) -> tuple[Partition, OffsetSync | None] | None:
    """Read one record of the offset-syncs topic; a tombstone has no sync; None for what is not a sync.

    The key is the topic (int16 length) and the partition (int32), the value both offsets (int64 each), without a
    version: MirrorMaker's OffsetSync.
    """
    if key is None or len(key) < _KEY_HEAD.size + _KEY_TAIL.size:
        return None
    (length,) = _KEY_HEAD.unpack_from(key)
    if len(key) != _KEY_HEAD.size + length + _KEY_TAIL.size:
        return None
    topic = key[_KEY_HEAD.size : _KEY_HEAD.size + length].decode(errors="replace")
    (partition,) = _KEY_TAIL.unpack_from(key, _KEY_HEAD.size + length)
    if value is None:
        return (topic, partition), None
    if len(value) != _VALUE.size:
        return None
    return (topic, partition), OffsetSync(*_VALUE.unpack(value))


@dataclass
class SyncHistory:
    """The syncs from one cluster to another, by partition; reads on where it stopped. `target` is its alias."""

    target: str
    _syncs: dict[Partition, list[OffsetSync]] = field(default_factory=dict)
    _read_to: int = 0

    @property
    def topic(self) -> str:
        """The topic of the offset syncs, on the source."""
        return f"mm2-offset-syncs.{self.target}.internal"

    @property
    def syncs(self) -> Mapping[Partition, list[OffsetSync]]:
        """Partition -> its syncs, in the order of the target's offsets."""
        return self._syncs

    def last(self, partition: Partition) -> OffsetSync | None:
        """Return the last sync of a partition."""
        its = self._syncs.get(partition)
        return its[-1] if its else None

    def translated(self, partition: Partition, offset: int) -> int | None:
        """Return where an offset of the source stands on the target; None where nothing tells: before the first sync,
        and between two syncs where something was left out."""
        its = self._syncs.get(partition, [])
        if its and offset >= its[-1].upstream:
            return offset - _difference(its[-1])
        for before, behind in pairwise(its):
            if before.upstream <= offset <= behind.upstream and _difference(before) == _difference(behind):
                return offset - _difference(before)
        return None

    async def read_on(self, source: ClusterView) -> None:
        """Read what has come since. Raises ClusterUnreachable."""
        if self.topic not in await source.topics():
            return
        for record in await source.records(self.topic, 0, self._read_to):
            self._read_to = record.offset + 1
            read = read_sync(record.key, record.value)
            if read is not None:
                self.add(*read)

    def add(self, partition: Partition, sync: OffsetSync | None) -> None:
        """Take in one sync; None: the topic was deleted."""
        if sync is None:
            self._syncs.pop(partition, None)
            return
        its = self._syncs.setdefault(partition, [])
        while its and its[-1].downstream >= sync.downstream:
            its.pop()  # the target's log was made anew from here on
        if len(its) > 1 and _difference(its[-2]) == _difference(its[-1]) == _difference(sync):
            its[-1] = sync
        else:
            its.append(sync)


def _difference(sync: OffsetSync) -> int:
    return sync.upstream - sync.downstream
