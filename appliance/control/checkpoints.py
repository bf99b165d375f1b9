"""What MirrorMaker made of the groups' offsets, checked against the maps: exact, behind by so many, or not known.

MirrorMaker translates a group's commit with those syncs that it has kept, and rather puts the group too far back than
too far ahead. Its checkpoints say from which offset of the source to which of the target; the map says where the
target's record really is. The topic is `<alias of the source>.checkpoints.internal`, on the target.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from appliance.control.datapath import ClusterView
from appliance.policies.positions.offset_map import UNKNOWN
from appliance.policies.positions.offset_maps import PositionMaps

_LENGTH = struct.Struct(">h")
_PARTITION = struct.Struct(">i")
_OFFSETS = struct.Struct(">hqq")
_FORMAT = 0
_SHOWN = 5


class GroupPartition(NamedTuple):
    group: str
    topic: str
    partition: int


class Checkpoint(NamedTuple):
    """A group's offset on the source, and what was made of it for the target."""

    upstream: int
    downstream: int


@dataclass(frozen=True)
class Continuity:
    """How a group's translated offset relates to the record that it committed."""

    where: GroupPartition
    state: Literal["exact", "behind", "unknown"]
    records: int = 0
    """How many are read again, where it is behind."""


def read_checkpoint(key: bytes | None, value: bytes | None) -> tuple[GroupPartition, Checkpoint | None] | None:
    """Read one record of the checkpoints topic; a tombstone has no checkpoint; None for what is not one.

    The key is group and topic (int16 length) and the partition (int32), the value a version (int16), both offsets
    (int64 each) and the commit's metadata: MirrorMaker's Checkpoint.
    """
    group, rest = _string(key or b"")
    topic, rest = _string(rest)
    if group is None or topic is None or len(rest) != _PARTITION.size:
        return None
    where = GroupPartition(group, topic, _PARTITION.unpack(rest)[0])
    if value is None:
        return where, None
    if len(value) < _OFFSETS.size:
        return None
    version, upstream, downstream = _OFFSETS.unpack_from(value)
    return (where, Checkpoint(upstream, downstream)) if version == _FORMAT else None


def _string(data: bytes) -> tuple[str | None, bytes]:
    if len(data) < _LENGTH.size:
        return None, b""
    end = _LENGTH.size + max(_LENGTH.unpack_from(data)[0], 0)
    if len(data) < end:
        return None, b""
    return data[_LENGTH.size : end].decode(errors="replace"), data[end:]


@dataclass
class CheckpointHistory:
    """The latest checkpoints from one cluster (`source`, its alias); reads on where it stopped."""

    source: str
    latest: dict[GroupPartition, Checkpoint] = field(default_factory=dict)
    _read_to: int = 0

    @property
    def topic(self) -> str:
        """The topic of the checkpoints, on the target."""
        return f"{self.source}.checkpoints.internal"

    async def read_on(self, target: ClusterView) -> None:
        """Read what has come since. Raises ClusterUnreachable."""
        if self.topic not in await target.topics():
            return
        for record in await target.records(self.topic, 0, self._read_to):
            self._read_to = record.offset + 1
            read = read_checkpoint(record.key, record.value)
            if read is None:
                continue
            where, checkpoint = read
            if checkpoint is None:
                self.latest.pop(where, None)
            else:
                self.latest[where] = checkpoint

    def continuity(self, maps: PositionMaps, source: str, target: str) -> list[Continuity]:
        """Compare each checkpoint with where the map says that the record is."""
        return [_compared(where, checkpoint, maps, source, target) for where, checkpoint in sorted(self.latest.items())]


def _compared(
    where: GroupPartition, checkpoint: Checkpoint, maps: PositionMaps, source: str, target: str
) -> Continuity:
    if (where.topic, where.partition) not in maps.of(target):
        return Continuity(where, "unknown")
    visible = maps.map_of(source, where.topic, where.partition).to_visible(checkpoint.upstream)
    found = maps.map_of(target, where.topic, where.partition).to_cluster(visible)
    behind = found.offset - checkpoint.downstream
    if found.doubt == UNKNOWN or behind < 0:
        return Continuity(where, "unknown")
    return Continuity(where, "behind", behind) if behind else Continuity(where, "exact")


def in_words(found: Iterable[Continuity]) -> list[str]:
    """Say, for a plan, how groups come over: `group offsets: 3 exact, 1 behind (billing orders/0 by 12)`."""
    found = list(found)
    if not found:
        return []
    parts = [f"{sum(each.state == 'exact' for each in found)} exact"]
    behind = sorted((each for each in found if each.state == "behind"), key=lambda each: -each.records)
    if behind:
        parts.append(f"{len(behind)} behind ({_some([f'{_named(each)} by {each.records}' for each in behind])})")
    unknown = [_named(each) for each in found if each.state == "unknown"]
    if unknown:
        parts.append(f"{len(unknown)} unknown ({_some(unknown)})")
    return [f"group offsets: {', '.join(parts)}"]


def _named(each: Continuity) -> str:
    return f"{each.where.group} {each.where.topic}/{each.where.partition}"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
