"""One partition's offsets: as clients see them, and as one cluster has them.

A map is a list of segments, each with one constant difference (visible - cluster). Where replication proves the
difference the segment is exact. Where it proves only both ends of a stretch (records were left out somewhere between:
compacted away, or transaction markers), the higher difference is taken for all of it: then a position is at or before
the record that it stood for, never behind it, and at most `doubt` records are read again. Where a stretch has more
offsets in the cluster than clients have seen (a mirror that began anew, or wrote markers of its own) nothing can be
said of positions within it: `UNKNOWN`.

A pure value: no clock, no I/O; `as_json` and `of_json` are each other's inverse.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

UNKNOWN = -1
"""The doubt of a stretch of which nothing is known."""
OUT_OF_RANGE = 1 << 62
"""A cluster offset that no log has: the broker itself then answers OFFSET_OUT_OF_RANGE."""


class Segment(NamedTuple):
    """From `cluster` on, to the next segment's, the difference is the same."""

    cluster: int
    visible: int
    doubt: int = 0
    """0: exact. More: so many records may be read again. UNKNOWN."""

    @property
    def difference(self) -> int:
        return self.visible - self.cluster


class Position(NamedTuple):
    """A cluster offset, and how far it can be trusted."""

    offset: int
    doubt: int = 0


@dataclass(frozen=True)
class OffsetMap:
    """Segments in the order of cluster offsets, the last one open; none at all: the identity."""

    segments: tuple[Segment, ...] = ()
    settled: int = 0
    """Cluster offsets below are known for good: they were written while the cluster served. What a mirror wrote later
    begins here."""
    floor: int | None = None
    """The lowest visible offset of the log, where that is below the first segment's: what lies between leads to the
    log's first record."""

    def __post_init__(self) -> None:
        starts = [each.cluster for each in self.segments]
        if starts != sorted(set(starts)):
            raise ValueError(f"expected segments in rising order of cluster offsets, found {starts}")

    @cached_property
    def _starts(self) -> list[int]:
        return [each.cluster for each in self.segments]

    @cached_property
    def is_identity(self) -> bool:
        """Whether clients see the cluster's own offsets, and all of them are known."""
        return all(not each.difference and each.doubt != UNKNOWN for each in self.segments)

    def difference_at(self, cluster: int) -> int:
        """Return what is to be added to a cluster offset for clients; below the first segment its difference."""
        return self._segment_at(cluster).difference

    def to_visible(self, cluster: int) -> int:
        """Return the offset that clients see for this one of the cluster's.

        Of a log that begins with a stretch of which nothing is known, clients see the beginning behind it: they could
        not read that stretch.
        """
        beginning = self._beginning_behind(cluster)
        return cluster + self.difference_at(cluster) if beginning is None else beginning.visible

    def end_to_visible(self, cluster: int) -> int:
        """Return the end of a log as clients see it: right behind its last record, also where a segment begins there.

        Else those who read to the end would wait for what is not there, as Kafka Streams does when it restores a store,
        and Connect when it reads its own topics.
        """
        last = cluster - 1
        return self.to_visible(last) + (self._beginning_behind(last) is None)

    def to_cluster(self, visible: int) -> Position:
        """Return the cluster's offset for one that a client has: never behind the record that it stood for.

        A visible offset that two segments have is the later one's: there a mirror began anew, and wrote the record a
        second time. One in a hole is the next segment's first. For who has just read the last record before a segment,
        its first record is the next one, whatever is known of those behind. Below all segments there is nothing any
        more: OUT_OF_RANGE.
        """
        if not self.segments:
            return Position(visible)
        for index in range(len(self.segments) - 1, -1, -1):
            segment = self.segments[index]
            if visible < segment.visible:
                continue
            offset = visible - segment.difference
            if index + 1 == len(self.segments) or offset < self.segments[index + 1].cluster:
                if segment.doubt != UNKNOWN:
                    return Position(min(offset, OUT_OF_RANGE), segment.doubt)
                before = self.segments[index - 1] if index else segment
                goes_on = offset == segment.cluster and before.difference == segment.difference
                return Position(segment.cluster, before.doubt if goes_on else UNKNOWN)
            behind = self.segments[index + 1]
            return Position(behind.cluster, 0 if offset == behind.cluster else behind.doubt)
        if visible >= self._floor:
            return Position(self.segments[0].cluster, self.segments[0].doubt)
        return Position(OUT_OF_RANGE)

    def _beginning_behind(self, cluster: int) -> Segment | None:
        """Return where the log begins for clients if that is behind this offset: nothing is known of what is before."""
        first = self.segments[:2]
        if len(first) > 1 and first[0].doubt == UNKNOWN and cluster < first[1].cluster:
            return first[1]
        return None

    @property
    def _floor(self) -> int:
        return self.segments[0].visible if self.floor is None else self.floor

    def with_border_moved(self, first: int, last: int) -> OffsetMap:
        """Return the map for a record batch that reaches over a border: its records cannot be told apart, so that all
        get the difference of the last one, as long as none of them is known to have a higher one.

        A batch is of one life of a mirror, in which the difference does not fall. So where it falls from a stretch of
        which nothing is known to a sync within the batch, the batch is of the life that the sync is of, as a whole.
        Raises ValueError where it falls from a record whose difference is known: no one difference is right then.
        """
        before, behind = self._segment_at(first), self._segment_at(last)
        within = [each for each in self.segments if first < each.cluster <= last]
        if any(one.difference > other.difference for one, other in pairwise([before, *within])):
            border = within[0]
            if before.doubt == UNKNOWN and before.difference > border.difference:
                return self.with_border_moved(border.cluster, last)
            raise ValueError(f"the difference falls between the offsets {first} and {last} of one batch")
        difference = behind.difference
        if difference == before.difference:
            return self
        kept = [each for each in self.segments if not first <= each.cluster <= last]
        doubt = UNKNOWN if before.doubt == UNKNOWN else before.doubt + difference - before.difference
        moved = [Segment(first, first + difference, doubt)]
        if behind.cluster > first:
            moved.append(behind)
        return OffsetMap(tuple(sorted([*kept, *moved])), self.settled, self._floor)

    def beyond(self, mirror: OffsetMap) -> OffsetMap:
        """Return the map of a cluster that mirrors this one, given the mirror's map whose visible offsets are this
        cluster's: what clients see there."""
        segments: list[Segment] = []
        ends = [*(each.cluster for each in mirror.segments[1:]), None]
        for each, end in zip(mirror.segments, ends, strict=True):
            starts = [each.visible]
            starts += [own.cluster for own in self.segments if own.cluster > each.visible]
            for start in starts:
                cluster = start - each.difference
                if end is not None and cluster >= end:
                    break
                its = self._segment_at(start)
                doubt = UNKNOWN if UNKNOWN in (each.doubt, its.doubt) else each.doubt + its.doubt
                segments.append(Segment(cluster, start + its.difference, doubt))
        floor = None if mirror.floor is None else mirror.floor + self._segment_at(mirror.floor).difference
        return OffsetMap(joined(segments), mirror.settled, floor)

    def coarsened(self, most: int) -> OffsetMap:
        """Return a map of at most so many segments: the oldest are made one, with the doubt that this takes."""
        surplus = len(self.segments) - most
        if surplus <= 0:
            return self
        old, rest = self.segments[: surplus + 1], self.segments[surplus + 1 :]
        lowest, highest = old[0].difference, old[-1].difference
        rises = all(one.difference <= other.difference for one, other in pairwise(old))
        unknown = not rises or any(each.doubt == UNKNOWN for each in old)
        doubt = UNKNOWN if unknown else highest - lowest + max(each.doubt for each in old)
        start = old[0].cluster
        return OffsetMap((Segment(start, start + highest, doubt), *rest), self.settled, self._floor)

    def _segment_at(self, cluster: int) -> Segment:
        if not self.segments:
            return Segment(0, 0)
        return self.segments[max(bisect_right(self._starts, cluster) - 1, 0)]

    @property
    def doubts(self) -> tuple[tuple[int, int | None, int], ...]:
        """The stretches that are not exact: first visible offset, the one behind the last (None: open), doubt."""
        ends = [*(each.cluster for each in self.segments[1:]), None]
        return tuple(
            (each.visible, None if end is None else end + each.difference, each.doubt)
            for each, end in zip(self.segments, ends, strict=True)
            if each.doubt
        )

    def as_json(self) -> list[list[int]]:
        """Return plain lists of numbers: the settled offset and, if there is one, the floor; then the segments."""
        head = [self.settled] if self.floor is None else [self.settled, self.floor]
        return [head, *(list(each) for each in self.segments)]

    @classmethod
    def of_json(cls, numbers: Sequence[Sequence[int]]) -> OffsetMap:
        """Return the map that `as_json` said. Raises ValueError for anything else."""
        if (
            not numbers
            or len(numbers[0]) not in (1, 2)
            or any(len(each) != len(Segment._fields) for each in numbers[1:])
        ):
            raise ValueError(f"expected a settled offset and segments of three numbers, found {numbers!r}")
        return cls(tuple(Segment(*each) for each in numbers[1:]), *numbers[0])


IDENTITY = OffsetMap()


def shifted(difference: int, since: int = 0) -> OffsetMap:
    """Return the map with one difference from the cluster's offset `since` on."""
    return OffsetMap((Segment(since, since + difference),))


def joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments with those made one that go on as the one before them does."""
    out: list[Segment] = []
    for each in segments:
        if not out or (each.difference, each.doubt) != (out[-1].difference, out[-1].doubt):
            out.append(each)
    return tuple(out)
