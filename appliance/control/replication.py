"""How far the target of a switchover is behind its source, per partition.

`mirrormaker`: MirrorMaker 2 writes, for each partition, pairs of (offset on the source, offset on the target)
of one and the same record. From the last pair on both logs grow alike, so the target has everything when

    target_end - downstream >= source_end - upstream

The pairs are in the topic `mm2-offset-syncs.<alias of the target>.internal` on the source; the alias of a cluster
is by convention the name of its resource. Transaction markers leave holes on the source that have no likeness on the
target. Behind a hole MirrorMaker writes a new pair, so that only those count that no record follows: where a log seems
to lag, its last record that is a user's is looked for, and what stands behind it is left out. A log whose tail was
compacted away still seems to lag for good. Markers on the target (MirrorMaker in exactly-once mode) make it seem
further than it is, unless every record has a pair (`offset.lag.max=0`) or the markers outnumber the records: declare
such replication as `none`.

A mirror that was turned round says nothing of a partition in which nothing was written since. What stood there at the
switch came from what is now the target, so that it has that (`policies.positions.way_back`).

`byte-preserving` (cluster links, KIP-1279): batch for batch the same log, so the end offsets alone tell.

The arithmetic is pure; the gauges ask the clusters for what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from appliance.control.datapath import ClusterView, Partition
from appliance.control.offset_syncs import OffsetSync, SyncHistory
from appliance.policies.positions.way_back import LogEnds, WayBack
from appliance.resources.virtual_cluster import Replication

Topics = Mapping[str, tuple[int, ...]]


class Span(NamedTuple):
    """A partition of the source: what the target must come to have, and where it ends by now."""

    start: int
    end: int
    end_now: int


@dataclass(frozen=True)
class Lag:
    """How many records of a partition the target lacks."""

    topic: str
    partition: int
    lag: int
    unknown: str = ""
    """Why nothing tells, where nothing does; `lag` is then the most that it can be."""

    @property
    def known(self) -> bool:
        """Whether `lag` was measured."""
        return not self.unknown


NO_SYNC = "no offset sync yet"
AHEAD = "the target has records that are not from the source"


def lag_by_sync(
    source: Span, target_end: int, sync: OffsetSync | None, at_switch: LogEnds | None = None
) -> tuple[int, str]:
    """Return the lag, and why it is not known if it is not: it is then the most that it can be.

    `at_switch`: where the logs ended when the target was left for the source; what the source had then came from there.

    A sync from beyond either log's end is from an earlier life of the topic and tells nothing. A target that grew more
    than the source has other writers too; how many of its records are the source's cannot be told.
    """
    if source.end == source.start:
        return 0, ""
    if sync is None and at_switch is not None and source.end <= at_switch.source:
        return 0, ""
    if sync is None or sync.upstream > source.end or sync.downstream > target_end:
        return source.end - source.start, NO_SYNC
    behind_the_sync = source.end - 1 - sync.upstream
    if behind_the_sync <= 0:
        return 0, ""
    grown = target_end - sync.downstream
    if grown > source.end_now - sync.upstream:
        return behind_the_sync, AHEAD
    return max(0, (source.end - sync.upstream) - grown), ""


def lag_by_end(source_end: int, target_end: int) -> int:
    """Return the lag where offsets are the same on both clusters."""
    return max(0, source_end - target_end)


def replicated(topics: Topics, without: frozenset[str] = frozenset()) -> dict[str, tuple[int, ...]]:
    """Leave out what is not data of the users: internal topics, MirrorMaker's own, and those `without`."""
    return {name: partitions for name, partitions in topics.items() if not _internal(name) and name not in without}


def _internal(topic: str) -> bool:
    return (
        topic.startswith("__")
        or (topic.startswith("mm2") and topic.endswith(".internal"))
        or topic.endswith((".checkpoints.internal", ".heartbeats"))
        or topic == "heartbeats"
    )


@dataclass(frozen=True)
class Ends:
    """Where the source's partitions start and end; taken behind the fence it is what the target must come to
    have."""

    start: Mapping[Partition, int]
    end: Mapping[Partition, int]

    @classmethod
    async def of(cls, source: ClusterView, topics: Topics) -> Ends:
        """Ask the source. Raises ClusterUnreachable."""
        return cls(await source.start_offsets(topics), await source.end_offsets(topics))


async def standing(
    way: WayBack | None,
    clusters: tuple[ClusterView, ClusterView],
    ends: tuple[Mapping[Partition, int], Mapping[Partition, int]],
    topics: Topics,
) -> Mapping[Partition, LogEnds]:
    """Return what of a way back holds still: topics are the same ones, and no log ends before where it ended then.

    Source and target come in this order, with the ends of their logs. Raises ClusterUnreachable.
    """
    if way is None:
        return {}
    ids = [await each.topic_ids() for each in clusters]
    return {
        (name, each): its.partitions[each]
        for name, its in way.topics.items()
        if (ids[0].get(name), ids[1].get(name)) == (its.source_id, its.target_id)
        for each in topics.get(name, ())
        if each in its.partitions
        and ends[0][name, each] >= its.partitions[each].source
        and ends[1][name, each] >= its.partitions[each].target
    }


class Gauge(Protocol):
    """Measures one switchover's replication lag, again and again."""

    async def measure(self, ends: Ends, source: ClusterView, target: ClusterView, topics: Topics) -> list[Lag]:
        """Return the lag of each partition, those without lag included. Raises ClusterUnreachable."""

    def translated(self, partition: Partition, offset: int, target_end: int) -> int | None:
        """Return where an offset of the source stands on a target that lags nowhere; None where nothing tells."""

    def missing(self, source_topics: Topics) -> str | None:
        """Return the topic that this replication must have left on the source and has not; None: all is there."""


class BytePreservingGauge:
    """For replication that keeps offsets."""

    async def measure(
        self,
        ends: Ends,
        source: ClusterView,  # noqa: ARG002 - Gauge's; the source's ends are known
        target: ClusterView,
        topics: Topics,
    ) -> list[Lag]:
        """See Gauge."""
        target_end = await target.end_offsets(topics)
        return [Lag(*each, lag_by_end(ends.end[each], target_end[each])) for each in _partitions(topics)]

    def translated(self, partition: Partition, offset: int, target_end: int) -> int | None:  # noqa: ARG002 - Gauge's
        """See Gauge."""
        return offset

    def missing(self, source_topics: Topics) -> str | None:  # noqa: ARG002 - it leaves nothing
        """See Gauge."""
        return None


@dataclass
class MirrorMakerGauge:
    """For MirrorMaker 2 with IdentityReplicationPolicy. Reads on in the syncs where it stopped the last
    time."""

    target_alias: str
    way_back: WayBack | None = None
    """What is known where it measures the way back of the last switch."""
    _data_ends: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    """Partition -> the end for which it was asked, and the end of the users' records. Only of logs that have not grown
    since: what stands behind an older end may be a record."""

    def __post_init__(self) -> None:
        self._history = SyncHistory(self.target_alias)

    async def measure(self, ends: Ends, source: ClusterView, target: ClusterView, topics: Topics) -> list[Lag]:
        """See Gauge."""
        target_end = await target.end_offsets(topics)
        await self._history.read_on(source)
        end_now = await source.end_offsets(topics)  # after the target's: what is there has been here
        at_switch = await standing(self.way_back, (source, target), (ends.end, target_end), topics)
        self._forget_before(at_switch)
        self._data_ends = {each: asked for each, asked in self._data_ends.items() if asked[0] == ends.end.get(each)}
        lags = []
        for each in _partitions(topics):
            span = Span(ends.start[each], ends.end[each], end_now[each])
            known = target_end[each], self._history.last(each), at_switch.get(each)
            lag, unknown = lag_by_sync(span, *known)
            if lag:
                span = span._replace(end=await self._data_end(source, each, span))
                lag, unknown = lag_by_sync(span, *known)
            lags.append(Lag(*each, lag, unknown))
        return lags

    def translated(self, partition: Partition, offset: int, target_end: int) -> int | None:
        """See Gauge."""
        asked = self._data_ends.get(partition)
        if asked is not None and offset >= asked[1]:
            return target_end
        found = self._history.translated(partition, offset)
        return None if found is None else min(target_end, found)

    def missing(self, source_topics: Topics) -> str | None:
        """See Gauge."""
        return None if self._history.topic in source_topics else self._history.topic

    def _forget_before(self, at_switch: Mapping[Partition, LogEnds]) -> None:
        """Forget syncs of a mirror that ran this way before the switch: both logs have grown otherwise since."""
        for each, ends in at_switch.items():
            sync = self._history.last(each)
            if sync is not None and sync.downstream < ends.target:
                self._history.add(each, None)

    async def _data_end(self, source: ClusterView, partition: Partition, span: Span) -> int:
        asked = self._data_ends.get(partition)
        if asked is None:
            end = await source.data_end(*partition, span.start, span.end)
            asked = self._data_ends[partition] = (span.end, end)
        return asked[1]


def gauge_for(replication: Replication, target: str, way_back: WayBack | None = None) -> Gauge | None:
    """Return how the lag of a cluster behind another is measured; None where it is not."""
    match replication:
        case "mirrormaker":
            return MirrorMakerGauge(target, way_back)
        case "byte-preserving":
            return BytePreservingGauge()
        case _:
            return None


def lagging(lags: Iterable[Lag]) -> list[Lag]:
    """Return the partitions that are not caught up, the worst first."""
    return sorted((each for each in lags if each.lag), key=lambda each: (-each.lag, each.topic, each.partition))


def total(lags: Iterable[Lag]) -> int:
    """Return how many records the target lacks."""
    return sum(each.lag for each in lags)


def in_words(lags: list[Lag], most: int = 5) -> str:
    """Say which partitions lag: `orders/3: 12 records, ...`."""
    shown = [
        f"{each.topic}/{each.partition}: "
        + (f"{each.lag} records" if each.known else f"{each.unknown} (up to {each.lag} to replicate)")
        for each in lags[:most]
    ]
    return ", ".join(shown) + (f" and {len(lags) - most} more" if len(lags) > most else "")


def _partitions(topics: Topics) -> Iterable[Partition]:
    return [(topic, partition) for topic, partitions in topics.items() for partition in partitions]
