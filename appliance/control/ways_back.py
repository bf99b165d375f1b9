"""What the target of a switch back is known to have, though no mirror has said anything yet.

A mirror that was turned round writes its first offset sync with the first record that it copies. Of a partition in
which nothing was written since the switch it says nothing, for ever; but what stands there came from the cluster that
served before, so that cluster has it. `taken` writes down where both logs ended when a virtual cluster was switched
(both stand still then), `common` joins what several know, and `replication.standing` says on the way back which of it
still holds.

Nothing is known of a partition
 - of which one of the virtual clusters that the source serves does not know: others may have written to it;
 - of a topic that either side has made anew since (its id is another), or that has no id (before Kafka 2.8);
 - of which either log ends before where it ended then: records were lost. A log that lost some and was written to
   again, up to the very same end, is not found out;
 - of a cluster that was lost, unless offset syncs were read before: they tell the least that it must still have.
What an earlier switch left behind on the source stays so; it is not looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from appliance.control.datapath import ClusterView, Partition
from appliance.control.offset_syncs import SyncHistory
from appliance.control.replication import Topics
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.positions.way_back import LogEnds, TopicEnds, WayBack

log = logging.getLogger("tidegate.control")


async def taken(
    names: tuple[str, str],
    left: ClusterView | None,
    entered: ClusterView,
    topics: Topics,
    history: SyncHistory,
    left_ids: Mapping[str, bytes],
) -> WayBack | None:
    """Return the way back of a switch from `left` to `entered`, whose `names` these are and which has `topics`, while
    both logs stand still.

    `left` None: it is lost; then its topic ids as they were last seen tell, and the syncs that were read of it. None
    where a cluster does not answer: a switch does not fail of this.
    """
    try:
        entered_ids = await entered.topic_ids()
        if left is not None:
            left_ids = await left.topic_ids()
            there = await left.topics()
            topics = {name: tuple(sorted({*its} & {*there.get(name, ())})) for name, its in topics.items()}
        topics = {name: its for name, its in topics.items() if name in entered_ids and name in left_ids}
        ends = await entered.end_offsets(topics)
        left_ends = await left.end_offsets(topics) if left is not None else _least(ends, history)
    except ClusterUnreachable as error:
        log.warning("where logs end was not learnt, the way back will ask for offset syncs: %s", error)
        return None
    known = {
        name: TopicEnds(
            entered_ids[name],
            left_ids[name],
            {each: LogEnds(ends[name, each], left_ends[name, each]) for each in its if (name, each) in left_ends},
        )
        for name, its in topics.items()
    }
    return WayBack(names[1], names[0], known)


def _least(ends: Mapping[Partition, int], history: SyncHistory) -> Mapping[Partition, int]:
    """Return where logs of a lost cluster ended at least: from a sync on a mirror has no more than its source."""
    last = {each: syncs[-1] for each, syncs in history.syncs.items() if syncs}
    return {
        each: last[each].upstream + end - last[each].downstream
        for each, end in ends.items()
        if each in last and last[each].downstream < end
    }


def common(source: str, target: str, ways: Iterable[WayBack | None]) -> WayBack | None:
    """Return what all know of the way from `source` back to `target`, the most careful of each; None where one knows
    nothing, or where there is none."""
    joined: WayBack | None = None
    for each in ways:
        if each is None or (each.source, each.target) != (source, target):
            return None
        joined = each if joined is None else WayBack(source, target, _careful(joined.topics, each.topics))
    return joined


def _careful(one: Mapping[str, TopicEnds], other: Mapping[str, TopicEnds]) -> Mapping[str, TopicEnds]:
    return {
        name: TopicEnds(*its[:2], _lowest(its.partitions, other[name].partitions))
        for name, its in one.items()
        if name in other and its[:2] == other[name][:2]
    }


def _lowest(one: Mapping[int, LogEnds], other: Mapping[int, LogEnds]) -> Mapping[int, LogEnds]:
    return {
        each: LogEnds(min(ends.source, other[each].source), max(ends.target, other[each].target))
        for each, ends in one.items()
        if each in other
    }
