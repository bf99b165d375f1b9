"""Groups' offsets: replicated too, and later than the records. Not having them means reading again, never losing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import trio

from appliance.control.datapath import ClusterView, Partition
from appliance.control.replication import Gauge
from appliance.control.steps.run import Run
from appliance.control.switchover import GroupPosition

EVERY = 0.2
_LEFT = "Empty"
"""The state of a group that has offsets and no members."""
KEPT = 500
"""Positions in the record: those that are behind come first."""


async def sync_groups(run: Run) -> None:
    """Wait a while for the groups' offsets on the target; tell which are behind, and go on. Raises ClusterUnreachable:
    a target that does not answer now is not switched to."""
    switchover = run.switchover
    await run.both[1].describe()
    if run.gauge is None or run.ends is None or not run.found.groups_known:
        why = "groups could not be asked for" if run.gauge is not None else "replication is not measured"
        switchover.say(f"not compared: {why}")
        return
    switchover.say("not waited for")
    with trio.move_on_after(switchover.order.sync_groups):
        while True:
            groups = await run.both[0].groups()
            live = {each.name for each in groups if each.state != _LEFT}
            switchover.groups = await measure(run.gauge, *run.both, [each.name for each in groups], run.found.topics)
            switchover.say(in_words(switchover.groups))
            # What is absent, or cannot be told, does not become exact by waiting, nor what nobody reads on from:
            # preflight has warned of it.
            if not any((each.behind or 0) > 0 for each in switchover.groups if each.group in live):
                return
            await trio.sleep(EVERY)


async def measure(
    gauge: Gauge, source: ClusterView, target: ClusterView, names: Sequence[str], topics: Mapping[str, Iterable[int]]
) -> list[GroupPosition]:
    """Return what these groups have committed on both sides, those that are behind first. Raises
    ClusterUnreachable."""
    here = await source.committed(names)
    there = await target.committed([name for name in names if here.get(name)])
    ends = await target.end_offsets(topics)
    found = [
        position(gauge, name, partition, offset, there.get(name, {}).get(partition), ends[partition])
        for name in names
        for partition, offset in sorted(here.get(name, {}).items())
        if partition in ends
    ]
    return sorted(found, key=lambda each: -1 if each.behind is None else each.behind, reverse=True)[:KEPT]


def position(
    gauge: Gauge, group: str, partition: Partition, committed: int, on_target: int | None, target_end: int
) -> GroupPosition:
    """Compare one commit on both sides. One that is ahead would skip records: it is told as a negative number."""
    exact = gauge.translated(partition, committed, target_end)
    behind = None if exact is None or on_target is None else exact - on_target
    return GroupPosition(group, *partition, committed, on_target, behind)


def in_words(positions: list[GroupPosition]) -> str:
    """Say how many are exact, behind, absent and unknown."""
    if not positions:
        return "no group has committed offsets"
    absent = sum(each.on_target is None for each in positions)
    unknown = sum(each.behind is None for each in positions) - absent
    behind = [each.behind for each in positions if each.behind and each.behind > 0]
    ahead = [-each.behind for each in positions if each.behind and each.behind < 0]
    exact = len(positions) - absent - unknown - len(behind) - len(ahead)
    words = [f"{exact} of {len(positions)} positions of groups are exact"]
    if behind:
        words.append(f"{len(behind)} are behind, by {sum(behind)} records in all")
    if ahead:
        words.append(f"{len(ahead)} are AHEAD, by {sum(ahead)} records that would be skipped")
    if absent:
        words.append(f"{absent} are absent: there the reset policy decides")
    if unknown:
        words.append(f"{unknown} cannot be told")
    return ", ".join(words)
