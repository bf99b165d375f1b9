"""Partitions in which nothing is written between a planned switch and the way back, of which a mirror says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from confluent_kafka import Producer

from appliance.lab.ports import PortLeases
from tests.matrix.truth import SECONDS
from tests.switching.front import Front, open_front
from tests.switching.logs import read_logs
from tests.switching.pair import EXPIRED, PARTITIONS, open_pair

TOPIC = "idle"


def write(bootstrap: str, partitions: range, value: str) -> None:
    """Write ten records to each partition. Blocks."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for partition in partitions:
        for number in range(10):
            producer.produce(TOPIC, f"{value}-{partition}-{number}", partition=partition)
    assert producer.flush(SECONDS) == 0


async def written(front: Front, partitions: range, value: str) -> None:
    await trio.to_thread.run_sync(write, front.access.bootstrap, partitions, value)


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_planned_way_back_does_not_wait_for_them(tmp_path: Path):
    with PortLeases() as ports:
        async with (
            open_pair(tmp_path / "lab", lambda _: None) as pair,
            open_front(pair, "on", ports, tmp_path / "gateway") as front,
        ):
            await pair.prepare([TOPIC])
            await pair.mirror("primary", "standby")
            await pair.wait_topics("standby", [TOPIC])
            await written(front, range(PARTITIONS), "first")
            await front.switch("standby", "planned")
            await pair.mirror("standby", "primary", front.beginnings())
            await front.switch("primary", "planned")  # nothing at all was written
            await pair.mirror("primary", "standby", front.beginnings())
            await written(front, range(1), "second")
            await front.switch("standby", "planned")
            await written(front, range(1), "third")
            await pair.mirror("standby", "primary", front.beginnings())
            await front.switch("primary", "planned")
            found = await trio.to_thread.run_sync(read_logs, [front.access.bootstrap], [TOPIC])
    values = ("first", "second", "third")
    assert [each[1:] for each in sorted(found[TOPIC], key=lambda each: (each.partition, each.offset))] == [
        (partition, EXPIRED[partition] + 10 * round_ + number)
        for partition in range(PARTITIONS)
        for round_ in range(len(values) if partition == 0 else 1)
        for number in range(10)
    ]
