"""The maps that a switch of a virtual cluster needs: taken while writes are held and both logs stand still.

`capture` is called once the source is drained and before the target serves. It asks both clusters where their logs
begin and end, reads MirrorMaker's syncs to their end, and makes of the maps from before those from now on: the
target's offsets as clients are to see them. A source that is lost is not asked; then what was read of its syncs before
has to do (`Follower` reads on while nothing happens). Where the logs end is written down for the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import trio

from appliance.control.asking import Asking
from appliance.control.checkpoints import CheckpointHistory, in_words
from appliance.control.datapath import ClusterView, DataPath, Partition
from appliance.control.offset_mapping import Logs, joined_with_own, mirror_map
from appliance.control.offset_syncs import SyncHistory
from appliance.control.replication import Topics, replicated, standing
from appliance.control.ways_back import common, taken
from appliance.exchange.route import Target
from appliance.policies.positions.offset_map import UNKNOWN, OffsetMap, Segment
from appliance.policies.positions.offset_maps import PositionMaps, TopicId
from appliance.policies.positions.way_back import WayBack
from appliance.resources.consumer_switching import timestamp_of
from appliance.resources.virtual_cluster import VirtualClusterSpec

NO_TOPIC_IDS: Mapping[str, bytes] = MappingProxyType({})

FOLLOW_EVERY = 5.0
_SHOWN = 5


@dataclass(frozen=True)
class Sides:
    """A switch's two clusters by name, and how to ask them; the source None: it is lost."""

    source: str
    target: str
    source_view: ClusterView | None
    target_view: ClusterView


async def capture(
    spec: VirtualClusterSpec,
    before: PositionMaps,
    sides: Sides,
    history: SyncHistory,
    topic_ids: Mapping[str, bytes] = NO_TOPIC_IDS,
    beside: Sequence[WayBack | None] = (),
) -> PositionMaps:
    """Return the maps from the switch on. Raises ClusterUnreachable.

    `history` has the syncs from source to target; it is read on where the source can be asked. `topic_ids` are the
    source's as they were last seen, for where it cannot. `beside`: what other virtual clusters, which the target serves
    already, know of the way back; they have written to it.
    """
    topics = replicated(await sides.target_view.topics())
    maps = before
    if spec.remedies.topic_ids == "on":
        maps = await _with_topic_ids(maps, sides, topic_ids)
    if spec.offsets == "continuous":
        if spec.replication_between(sides.source, sides.target) == "byte-preserving":
            maps = maps.with_cluster(sides.target, before.of(sides.source))  # the same log: what was so stays so
        else:
            maps = await _mapped(maps, sides, history, topics)
    maps = replace(maps, way_back=await _way_back(spec, sides, topics, history, topic_ids, beside))
    return maps.with_beginnings(await _beginnings(spec.positions, sides.target_view, topics))


async def _way_back(
    spec: VirtualClusterSpec,
    sides: Sides,
    topics: Topics,
    history: SyncHistory,
    topic_ids: Mapping[str, bytes],
    beside: Sequence[WayBack | None],
) -> WayBack | None:
    if spec.replication_between(sides.source, sides.target) != "mirrormaker":
        return None
    names = sides.source, sides.target
    own = await taken(names, sides.source_view, sides.target_view, topics, history, topic_ids)
    return common(sides.target, sides.source, [own, *beside])


async def _mapped(before: PositionMaps, sides: Sides, history: SyncHistory, topics: Topics) -> PositionMaps:
    source_start: Mapping[Partition, int] = {}
    source_end: Mapping[Partition, int] = {}
    if sides.source_view is not None:
        there = replicated(await sides.source_view.topics())
        topics = {name: tuple(sorted({*its} & {*there.get(name, ())})) for name, its in topics.items()}
        await history.read_on(sides.source_view)
        source_start = await sides.source_view.start_offsets(topics)
        source_end = await sides.source_view.end_offsets(topics)
    target_start = await sides.target_view.start_offsets(topics)
    target_end = await sides.target_view.end_offsets(topics)
    idle = await _idle(before.way_back, sides, history, (source_end, target_end), topics)
    of_source, of_target = dict(before.of(sides.source)), dict(before.of(sides.target))
    for each in _partitions(topics):
        logs = Logs(source_start.get(each), source_end.get(each), target_start[each], target_end[each])
        own = of_target.get(each)
        settled = None if own is None else own.settled
        if settled is not None and settled < idle.get(each, 0):
            settled = target_end[each]  # it was lost, and not asked for its end
        mirrored = mirror_map(history.syncs.get(each, ()), logs, settled=settled)
        served = of_source.get(each) or OffsetMap((Segment(0, 0),))
        of_target[each] = joined_with_own(own, served.beyond(mirrored))
        # Whatever is mirrored back to it later comes behind what it has now.
        of_source[each] = replace(served, settled=max(source_end.get(each, 0), served.settled))
    return before.with_cluster(sides.source, of_source).with_cluster(sides.target, of_target)


async def _idle(
    way: WayBack | None,
    sides: Sides,
    history: SyncHistory,
    ends: tuple[Mapping[Partition, int], Mapping[Partition, int]],
    topics: Topics,
) -> Mapping[Partition, int]:
    """Return the partitions in which nothing was written on either side since the switch of which this is the way back,
    and where the target ended then at least. The target's own map holds for them as it did."""
    way = common(sides.source, sides.target, [way])
    if sides.source_view is None or way is None:
        return {}
    found: dict[Partition, int] = {}
    clusters = sides.source_view, sides.target_view
    for each, at_switch in (await standing(way, clusters, ends, topics)).items():
        syncs, end = history.syncs.get(each), ends[0][each]
        if syncs and syncs[-1].downstream >= at_switch.target:
            continue
        if end > at_switch.source:
            end = await sides.source_view.data_end(*each, at_switch.source, end)
        if end <= at_switch.source:
            found[each] = at_switch.target
    return found


async def _with_topic_ids(before: PositionMaps, sides: Sides, seen: Mapping[str, bytes]) -> PositionMaps:
    """Let clients know the target's topics by the ids by which they knew the source's."""
    there = seen if sides.source_view is None else await sides.source_view.topic_ids()
    own = await sides.target_view.topic_ids()
    shown = dict(before.topic_ids.get(sides.source, {}).values())
    known = {name: shown.get(each, each) for name, each in there.items()}
    ids = {name: TopicId(each, known.get(name, each)) for name, each in own.items()}
    return before.with_topic_ids(sides.target, ids)


async def _beginnings(positions: str, target: ClusterView, topics: Topics) -> Mapping[Partition, int]:
    if positions == "earliest":
        return await target.start_offsets(topics)
    if positions == "latest":
        return await target.end_offsets(topics)
    at = timestamp_of(positions)
    if at is None:
        return {}
    ends = await target.end_offsets(topics)
    found = await target.offsets_since(topics, round(at.timestamp() * 1000))
    return {each: found[each] if found[each] >= 0 else end for each, end in ends.items()}


@dataclass(frozen=True)
class PositionTaking:
    """What one switchover needs to take positions along: the conductor asks for them when both clusters stand still,
    and at preflight for what there would be to say."""

    spec: VirtualClusterSpec
    before: PositionMaps
    source: str
    target: str
    follower: Follower
    topic_ids: Mapping[str, bytes]
    """The source's, as they were last seen."""
    beside: Callable[[], Sequence[WayBack | None]] = tuple
    """Asked when positions are taken: what others, which the target serves then, know of the way back."""

    async def take(self, source: ClusterView | None, target: ClusterView) -> PositionMaps:
        """Return the maps from the switch on; `source` None: it is lost. Raises ClusterUnreachable."""
        sides = Sides(self.source, self.target, source, target)
        history = self.follower.history(self.source, self.target)
        return await capture(self.spec, self.before, sides, history, self.topic_ids, self.beside())

    async def remarks(self, source: ClusterView | None, target: ClusterView) -> list[str]:
        """Say how groups and offsets would come over if the switch were made now. Raises ClusterUnreachable."""
        said = self._unknown_topic_ids() if source is None else []
        if self.spec.replication_between(self.source, self.target) != "mirrormaker":
            return said
        sides = Sides(self.source, self.target, source, target)
        history = self.follower.history(self.source, self.target)
        maps = await _mapped(self.before, sides, history, replicated(await target.topics()))
        checkpoints = CheckpointHistory(self.source)
        await checkpoints.read_on(target)
        groups = in_words(checkpoints.continuity(maps, self.source, self.target))
        return said + groups + (remarks(maps, self.target) if self.spec.offsets == "continuous" else [])

    def _unknown_topic_ids(self) -> list[str]:
        if self.topic_ids or self.spec.remedies.topic_ids == "off":
            return []
        return [
            f"{self.source} was never asked for its topic ids: clients will see those of {self.target}, and some "
            "(franz-go) take the topics for new ones and must be restarted"
        ]


def remarks(maps: PositionMaps, cluster: str) -> list[str]:
    """Say, for a plan, what of a cluster's offsets is not exact."""
    unknown, doubtful = [], []
    for (topic, partition), each in sorted(maps.of(cluster).items()):
        for first, end, doubt in each.doubts:
            stretch = f"{topic}/{partition} {first} to {'the end' if end is None else end - 1}"
            if doubt == UNKNOWN:
                unknown.append(stretch)
            else:
                doubtful.append(f"{stretch} (up to {doubt})")
    said = []
    if unknown:
        said.append(f"offsets of which the syncs say nothing, Fetch there is refused: {_some(unknown)}")
    if doubtful:
        said.append(f"offsets with gaps between syncs, some records are read again: {_some(doubtful)}")
    return said


def _some(stretches: list[str]) -> str:
    more = len(stretches) - _SHOWN
    return ", ".join(stretches[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _partitions(topics: Topics) -> Iterator[Partition]:
    return ((topic, partition) for topic, partitions in topics.items() for partition in partitions)


@dataclass(frozen=True)
class Pair:
    """A cluster that serves, and one that it could be switched to."""

    source: Target
    target: str


class Follower:
    """Reads the syncs of every pair on, so that they are known when the source is lost. `pairs` is asked anew each
    time.

    With MirrorMaker's own `offset.lag.max` of 100 this is little; with 0 there is a sync for every record, and reading
    them takes from the process that it runs in what copying them took from MirrorMaker.
    """

    def __init__(self, data_path: DataPath, pairs: Callable[[], set[Pair]]) -> None:
        self._asking = Asking(data_path)
        self._pairs = pairs
        self._histories: dict[tuple[str, str], SyncHistory] = {}

    def history(self, source: str, target: str) -> SyncHistory:
        """Return what is known of the syncs from one cluster to another."""
        return self._histories.setdefault((source, target), SyncHistory(target))

    async def run(self) -> None:
        """Read on every few seconds until cancelled."""
        while True:
            for pair in self._pairs():
                what = f"offset syncs from {pair.source.name} to {pair.target}"
                await self._asking.ask(pair.source, what, self.history(pair.source.name, pair.target).read_on)
            await trio.sleep(FOLLOW_EVERY)
