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

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.control.datapath import ClusterView, Partition
from appliance.control.replication import OffsetSync, read_sync


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
