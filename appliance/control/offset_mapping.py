"""From offset syncs and log ends to the map of a mirror's partition: which offset of the source each of its own is.

Between two syncs (`upstream`, `downstream` offsets of one record):

 - the same difference at both: exact;
 - it rises: the source has gaps in between (compaction, transaction markers), nobody says where. The higher difference
   is taken from the first sync on, which is right behind the last gap and at most the rise too high before it: a
   position then leads to a record at or before its own, never behind;
 - it falls: the target has more than the source (a mirror that began anew and copied again, markers of the mirror's
   own transactions, somebody else's records). Nothing can be said.

What the target writes itself, once it serves, begins at its end: there the source's offsets go on, or where the source
could not be asked for its end, so far behind that no offset is given a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.control.offset_syncs import OffsetSync
from appliance.policies.positions.offset_map import UNKNOWN, OffsetMap, Segment, joined

LEAP = 1_000_000
"""More records than a mirror is ever behind, one hopes; a source that cannot be asked may have given so many offsets
that are not known here."""
MOST_SEGMENTS = 2000
"""Per partition; older gaps are thrown together."""


@dataclass(frozen=True)
class Logs:
    """Where a partition's logs begin and end; the source's are None where it cannot be asked."""

    source_start: int | None
    source_end: int | None
    target_start: int
    target_end: int


def mirror_map(syncs: Sequence[OffsetSync], logs: Logs, *, settled: int | None = None) -> OffsetMap:
    """Return the target's map to the source's offsets.

    `settled`: offsets of the target below are mapped already, as it has served before; the map begins there.
    """
    if settled is not None:
        syncs = _since(settled, syncs, source_is_lost=logs.source_end is None)
    start = logs.target_start if settled is None else max(settled, logs.target_start)
    usable = _usable(syncs, logs)
    segments = _between(usable)
    if usable:
        segments += _behind(usable[-1], logs)
        difference = _difference(usable[0])
        if start < usable[0].downstream:
            segments.insert(0, Segment(start, start + difference, UNKNOWN))
    else:
        segments = _without_syncs(start, logs)
    return OffsetMap(_from(start, joined(segments))).coarsened(MOST_SEGMENTS)


def _since(settled: int, syncs: Sequence[OffsetSync], *, source_is_lost: bool) -> Sequence[OffsetSync]:
    """Leave out syncs from before the target served where they tell nothing of what came since: where there are no
    others (but that is the best guess where the source is lost), and where the target has come to have more."""
    before = [each for each in syncs if each.downstream < settled]
    since = syncs[len(before) :]
    if not since:
        return before if source_is_lost else ()
    return since if before and _difference(before[-1]) > _difference(since[0]) else syncs


def _usable(syncs: Sequence[OffsetSync], logs: Logs) -> list[OffsetSync]:
    """Leave out syncs from an earlier life of the topic: those up to the last that is beyond either log's end."""
    usable: list[OffsetSync] = []
    for sync in syncs:
        if sync.downstream >= logs.target_end or (logs.source_end is not None and sync.upstream >= logs.source_end):
            usable.clear()
        else:
            usable.append(sync)
    return usable


def _between(syncs: Sequence[OffsetSync]) -> list[Segment]:
    segments: list[Segment] = []
    for index, sync in enumerate(syncs):
        if index:
            segments += _stretch(syncs[index - 1], sync.downstream, _difference(sync))
        segments.append(Segment(sync.downstream, sync.upstream))
    return segments


def _stretch(sync: OffsetSync, end: int, difference: int) -> list[Segment]:
    """Return what lies between a sync's record and the target's offset `end`, where the difference is this one."""
    first, before = sync.downstream + 1, _difference(sync)
    if difference == before or first >= end:
        return []
    if difference > before:
        return [Segment(first, first + difference, difference - before)]
    return [Segment(first, first + before, UNKNOWN)]


def _behind(last: OffsetSync, logs: Logs) -> list[Segment]:
    end = logs.target_end
    if logs.source_end is None:
        # MirrorMaker says so where it leaves something out: what follows the last sync follows without a gap.
        return [Segment(end, end + _difference(last) + LEAP)]
    goes_on = max(logs.source_end, end + _difference(last))
    return [*_stretch(last, end, logs.source_end - end), Segment(end, goes_on)]


def _without_syncs(start: int, logs: Logs) -> list[Segment]:
    end = logs.target_end
    goes_on = end + LEAP if logs.source_end is None else logs.source_end
    if start >= end:
        return [Segment(end, goes_on)]
    return [Segment(start, goes_on - (end - start), UNKNOWN), Segment(end, goes_on)]


def _from(start: int, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Cut off what lies before `start`."""
    kept = [each for each in segments if each.cluster > start]
    before = [each for each in segments if each.cluster <= start]
    if before:
        kept.insert(0, Segment(start, start + before[-1].difference, before[-1].doubt))
    return tuple(kept)


def joined_with_own(own: OffsetMap | None, mirrored: OffsetMap) -> OffsetMap:
    """Return a cluster's map from what it wrote itself while it served, and what was mirrored to it since."""
    if own is None or not mirrored.segments:
        return mirrored if own is None else own
    first = mirrored.segments[0].cluster
    kept = [each for each in own.segments if each.cluster < first]
    return OffsetMap(joined([*kept, *mirrored.segments]), own.settled, own.floor).coarsened(MOST_SEGMENTS)


def _difference(sync: OffsetSync) -> int:
    return sync.upstream - sync.downstream
