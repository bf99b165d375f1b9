"""Clients that are started and left alone: every Python client in all of its modes, around the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.harness import BlockingCluster
from tests.matrix.access import Access
from tests.matrix.drivers.python import python_clients
from tests.matrix.standing import Mode, Plan, modes_of, standing_clients
from tests.matrix.truth import Truth


@pytest.mark.kafka
@pytest.mark.parametrize("driver", python_clients(), ids=lambda driver: driver.name)
async def test_a_client_goes_on_until_it_is_told_to_leave_and_tells_what_is_so(
    three_brokers: BlockingCluster, fresh_name: str, tmp_path: Path, driver
):
    await trio.to_thread.run_sync(three_brokers.create_topic, fresh_name, 6)
    plans = [
        Plan(driver, mode, fresh_name, f"{fresh_name[-8:]}-{number}") for number, mode in enumerate(modes_of(driver))
    ]
    assert Mode.TRANSACTIONAL in {plan.mode for plan in plans}
    async with standing_clients(plans, Access(three_brokers.bootstrap_servers), tmp_path) as clients:
        await clients.flowing()
        await clients.flowing()
    written = await trio.to_thread.run_sync(
        lambda: Truth(three_brokers.bootstrap_servers).read(fresh_name, committed=True)
    )
    places = {(each.partition, each.offset): each.value for each in written}
    for plan, client in clients.running.items():
        told = [event for event in client.events if event.event == plan.mode.progress]
        assert len(told) >= 20
        assert [event.value for event in told] == [places[event.partition, event.offset] for event in told]
        assert not client.values("failed")
        assert all(event.at > 1.7e9 for event in told)
