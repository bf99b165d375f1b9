"""Groups' offsets: replicated too, and later than the records. Not having them means reading again, never losing.

MirrorMaker syncs them at an interval (a minute by default), and only where it is told to. Behind the drain both logs
stand still and every record's place on the target is known, so what a group has committed is written there by the
switchover itself; MirrorMaker never lowers what it finds. Coordinators let that be done only to groups without members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import trio

from appliance.control.datapath import ClusterView, Partition
from appliance.control.replication import Gauge
from appliance.control.steps.run import Run
from appliance.control.switchover import GroupPosition
from appliance.gateway.client import Commit, Group

EVERY = 0.2
_LEFT = "Empty"
"""The state of a group that has offsets and no members."""
_IN_USE = "UNKNOWN_MEMBER_ID"
"""What a coordinator says to a commit from outside where the group has members; MirrorMaker leaves it then, too."""
KEPT = 500
"""Positions in the record: those that are behind come first."""


@dataclass(frozen=True)
class Compared:
    """One commit of a group on both sides."""

    position: GroupPosition
    wanted: Commit | None
    """What the target's should be; None: it cannot be told."""
    live: bool
    """The group has members on the source."""

    @property
    def behind(self) -> bool:
        """Whether the group would read again."""
        return (self.position.behind or 0) > 0

    @property
    def to_write(self) -> bool:
        """Whether the target should have another one. Where it is ahead, a group without members may be another one
        there, of the same name."""
        differs = self.wanted is not None and self.wanted.offset != self.position.on_target
        return differs and (self.live or (self.position.behind or 0) >= 0)


@dataclass
class _Writing:
    """What this step has written to the target, and what was refused."""

    groups: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    """Group -> Kafka's error."""

    async def write(self, target: ClusterView, found: Iterable[Compared]) -> None:
        """Commit what is wanted. Raises ClusterUnreachable."""
        commits: dict[str, dict[Partition, Commit]] = {}
        for each in found:
            if each.wanted is not None:
                its = each.position
                commits.setdefault(its.group, {})[its.topic, its.partition] = each.wanted
        self.groups |= commits.keys()
        self.refused |= await target.commit(commits)

    @property
    def settled(self) -> set[str]:
        """Which groups nobody will do anything more for."""
        return self.groups - {group for group, error in self.refused.items() if error != _IN_USE}

    def in_words(self, target: str) -> str:
        """Say what was written, and what was not."""
        words = ""
        if written := len(self.groups - self.refused.keys()):
            words += f"; those of {written} groups were written to {target}"
        if self.refused:
            group, error = next(iter(self.refused.items()))
            words += f"; {target} refused those of {len(self.refused)} ({group}: {error})"
        return words


async def sync_groups(run: Run) -> None:
    """Bring the groups' offsets to the target, wait a while for those that it does not take, tell which are behind, and
    go on. Raises ClusterUnreachable: a target that does not answer now is not switched to."""
    switchover = run.switchover
    await run.both[1].describe()
    if run.gauge is None or run.ends is None or not run.found.groups_known:
        why = "groups could not be asked for" if run.gauge is not None else "replication is not measured"
        switchover.say(f"not compared: {why}")
        return
    switchover.say("not waited for")
    carried = _carried(run)
    writing = _Writing()
    with trio.move_on_after(switchover.order.sync_groups):
        while True:
            found = await compare(run.gauge, *run.both, run.found.topics)
            switchover.groups = [each.position for each in found[:KEPT]]
            switchover.say(in_words(switchover.groups) + writing.in_words(switchover.target))
            # Once for each group: what it commits from here on is little, and it may go on committing for long.
            due = [each for each in found if each.position.group not in writing.groups and each.to_write]
            if carried and due:
                await writing.write(run.both[1], due)
                continue
            # What is absent, or cannot be told, does not become exact by waiting, nor what nobody reads on from:
            # preflight has warned of it.
            if not any(each.behind and each.live and each.position.group not in writing.settled for each in found):
                return
            await trio.sleep(EVERY)


async def take_late_commits(run: Run) -> int:
    """Write once more what groups have committed since, when nobody is left on the source and writes still wait; return
    for how many groups. What cannot be asked now is delivered again, no more. Raises ClusterUnreachable."""
    if run.gauge is None or run.ends is None or not run.found.groups_known or not _carried(run):
        return 0
    writing = _Writing()
    async with (
        run.data_path.cluster_client(run.source) as source,
        run.data_path.cluster_client(run.target) as target,
    ):
        found = await compare(run.gauge, source, target, run.found.topics)
        await writing.write(target, [each for each in found if each.behind])
    return len(writing.groups - writing.refused.keys())


def _carried(run: Run) -> bool:
    return all(each.spec.remedies.group_offsets == "on" for each in run.positions.values())


async def compare(
    gauge: Gauge, source: ClusterView, target: ClusterView, topics: Mapping[str, Iterable[int]]
) -> list[Compared]:
    """Return what groups have committed on both sides, those that are behind first. Raises ClusterUnreachable."""
    groups = await source.groups()
    names = [each.name for each in groups]
    here = await source.committed(names)
    there = await target.committed([name for name in names if here.get(name)])
    ends = await target.end_offsets(topics)
    found = [
        _compared(gauge, group, partition, its, there.get(group.name, {}).get(partition), ends[partition])
        for group in groups
        for partition, its in sorted(here.get(group.name, {}).items())
        if partition in ends
    ]
    return sorted(found, key=lambda each: -1 if (behind := each.position.behind) is None else behind, reverse=True)


def _compared(
    gauge: Gauge, group: Group, partition: Partition, committed: Commit, there: Commit | None, target_end: int
) -> Compared:
    """Compare one commit on both sides. One that is ahead would skip records: it is told as a negative number."""
    exact = gauge.translated(partition, committed.offset, target_end)
    on_target = None if there is None else there.offset
    behind = None if exact is None or on_target is None else exact - on_target
    wanted = None if exact is None else committed._replace(offset=exact)
    position = GroupPosition(group.name, *partition, committed.offset, on_target, behind)
    return Compared(position, wanted, live=group.state != _LEFT)


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
