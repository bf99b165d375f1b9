"""Clients that are started and left alone, around the gateway: what they tell is so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from appliance.harness import BlockingCluster
from tests.matrix.access import Access
from tests.matrix.driver import Driver
from tests.matrix.drivers.connect import KafkaConnect
from tests.matrix.drivers.python import python_clients
from tests.matrix.drivers.streams import KafkaStreams
from tests.matrix.installed import installed
from tests.matrix.standing import Mode, Plan, modes_of, standing_clients
from tests.matrix.truth import Truth


def plans(driver: Driver, topic: str) -> list[Plan]:
    """Return a plan for each of its modes."""
    stem = f"{driver.name.split()[-1].lower()}-{topic[-8:]}"
    return [Plan(driver, mode, topic, f"{stem}-{number}") for number, mode in enumerate(modes_of(driver))]


async def assert_they_tell_what_is_so(cluster: BlockingCluster, clients: Sequence[Plan], topic: str, folder: Path):
    for each in (topic, *(output for plan in clients for output in plan.outputs)):
        await trio.to_thread.run_sync(cluster.create_topic, each, 6)
    async with standing_clients(clients, Access(cluster.bootstrap_servers), folder) as standing:
        await standing.flowing()
        await standing.flowing()
    written = await trio.to_thread.run_sync(lambda: Truth(cluster.bootstrap_servers).read(topic, committed=True))
    places = {(each.partition, each.offset): each.value for each in written}
    for plan, client in standing.running.items():
        told = [event for event in client.events if event.event == plan.mode.progress]
        assert len(told) >= 20
        assert [event.value for event in told] == [places[event.partition, event.offset] for event in told]
        assert not client.values("failed")
        assert all(event.at > 1.7e9 for event in told)


@pytest.mark.kafka
@pytest.mark.parametrize("driver", python_clients(), ids=lambda driver: driver.name)
async def test_a_client_goes_on_until_it_is_told_to_leave_and_tells_what_is_so(
    three_brokers: BlockingCluster, fresh_name: str, tmp_path: Path, driver: Driver
):
    clients = plans(driver, fresh_name)
    assert Mode.TRANSACTIONAL in {plan.mode for plan in clients}
    await assert_they_tell_what_is_so(three_brokers, clients, fresh_name, tmp_path)


@pytest.mark.kafka
@pytest.mark.parametrize("driver", [KafkaStreams(), KafkaConnect()], ids=lambda driver: driver.name)
async def test_what_is_built_on_a_client_tells_what_others_write(
    three_brokers: BlockingCluster, fresh_name: str, tmp_path: Path, driver: Driver
):
    await installed(driver)
    writer, *_ = plans(python_clients()[0], fresh_name)
    await assert_they_tell_what_is_so(three_brokers, [writer, *plans(driver, fresh_name)], fresh_name, tmp_path)
