"""MirrorMaker's checkpoints, read, and compared with where the records are."""

from __future__ import annotations

import struct

import pytest

from appliance.control.checkpoints import (
    Checkpoint,
    CheckpointHistory,
    Continuity,
    GroupPartition,
    in_words,
    read_checkpoint,
)
from appliance.gateway.client import KeyValue
from appliance.policies.positions.offset_map import UNKNOWN, OffsetMap, Segment, shifted
from appliance.policies.positions.offset_maps import PositionMaps
from tests.control.world import MemoryCluster


def record(group: str, topic: str, partition: int, upstream: int, downstream: int) -> tuple[bytes, bytes]:
    """Encode a checkpoint as MirrorMaker 2 does."""
    names = b"".join(struct.pack(">h", len(each)) + each.encode() for each in (group, topic))
    return names + struct.pack(">i", partition), struct.pack(">hqqh", 0, upstream, downstream, 0)


def history(*records: tuple[str, str, int, int, int]) -> CheckpointHistory:
    its = CheckpointHistory("primary")
    for each in records:
        read = read_checkpoint(*record(*each))
        assert read is not None
        assert read[1] is not None
        its.latest[read[0]] = read[1]
    return its


def test_a_checkpoint_is_read_as_mirrormaker_writes_it():
    key, value = record("billing", "orders", 3, 1000, 700)
    where = GroupPartition("billing", "orders", 3)
    assert read_checkpoint(key, value) == (where, Checkpoint(1000, 700))
    assert read_checkpoint(key, None) == (where, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b""),
        (b"", b""),
        (b"\0\7bil", bytes(20)),
        (b"\0\1g\0\1t\0\0\0", bytes(20)),
        (b"\0\1g\0\1t\0\0\0\0", b"short"),
        (b"\0\1g\0\1t\0\0\0\0", b"\0\1" + bytes(18)),
    ],
)
def test_what_is_not_a_checkpoint_is_passed_over(key: bytes | None, value: bytes):
    assert read_checkpoint(key, value) is None


def test_each_group_is_exact_behind_or_unknown():
    maps = PositionMaps().with_cluster(
        "standby",
        {("orders", 0): shifted(300), ("orders", 1): OffsetMap((Segment(0, 0), Segment(5, 5, UNKNOWN), Segment(9, 5)))},
    )
    its = history(
        ("exact", "orders", 0, 1000, 700),
        ("late", "orders", 0, 1000, 650),
        ("ahead", "orders", 0, 1000, 701),
        ("nowhere", "payments", 0, 1000, 700),
        ("doubtful", "orders", 1, 3, 3),
    )
    found = {each.where.group: each for each in its.continuity(maps, "primary", "standby")}
    assert {group: (each.state, each.records) for group, each in found.items()} == {
        "exact": ("exact", 0),
        "late": ("behind", 50),
        "ahead": ("unknown", 0),
        "nowhere": ("unknown", 0),
        "doubtful": ("exact", 0),
    }
    (said,) = in_words(found.values())
    assert (
        said == "group offsets: 2 exact, 1 behind (late orders/0 by 50), 2 unknown (ahead orders/0, nowhere payments/0)"
    )


def test_many_groups_are_not_all_named():
    found = [Continuity(GroupPartition(f"g{n}", "orders", 0), "behind", n) for n in range(1, 9)]
    (said,) = in_words(found)
    assert said.endswith(
        "g8 orders/0 by 8, g7 orders/0 by 7, g6 orders/0 by 6, g5 orders/0 by 5, g4 orders/0 by 4 and 3 more)"
    )
    assert in_words([]) == []


async def test_the_latest_checkpoint_counts_and_reading_goes_on_where_it_stopped():
    target = MemoryCluster("standby")
    its = CheckpointHistory("primary")
    await its.read_on(target)
    log = target.records_of.setdefault(its.topic, [])
    for records in (
        [record("g", "orders", 0, 10, 5)],
        [record("g", "orders", 0, 12, 7), record("h", "orders", 0, 1, 1)],
    ):
        log += [KeyValue(len(log) + number, *each) for number, each in enumerate(records)]
        target.logs[its.topic, 0] = (0, len(log))
        await its.read_on(target)
    log.append(KeyValue(len(log), log[-1].key, None))
    await its.read_on(target)
    assert its.latest == {GroupPartition("g", "orders", 0): Checkpoint(12, 7)}
