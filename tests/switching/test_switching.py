"""Small parts of the matrix: a planned switch beneath two Python clients in all their modes, and beneath Java clients
that are told to start over."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.lab.ports import PortLeases
from tests.matrix.drivers.java import java_clients
from tests.matrix.drivers.python import python_clients
from tests.matrix.installed import installed
from tests.switching.bars import damage
from tests.switching.play import Play, plans_of, played
from tests.switching.reckoning import rows


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_planned_switch_beneath_python_clients_damages_nothing(tmp_path: Path):
    drivers = [driver for driver in python_clients() if driver.name in {"confluent-kafka", "kafka-python"}]
    with PortLeases() as ports:
        record = await played(Play(drivers, "on", ["planned"], lambda _: None), tmp_path, ports)
    assert (record.spoiled, record.stayed, record.complaints) == ([], [], [])
    found = rows(record.accounts, record.acts, "on")
    assert [(row.client, row.mode) for row in found] == [(plan.driver.name, plan.mode) for plan in plans_of(drivers)]
    for row in found:
        assert damage(row) == [], f"{row.client}, {row.mode}"
        assert row.first_success is not None, f"{row.client}, {row.mode} did not come back"


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_java_clients_start_over_where_a_switchover_tells_them_to_and_lose_nothing_by_it(tmp_path: Path):
    drivers = [driver for driver in java_clients() if driver.rebootstraps_as]
    await installed(*drivers)
    with PortLeases() as ports:
        record = await played(Play(drivers, "rebootstrap", ["planned"], lambda _: None), tmp_path, ports)
    assert (record.spoiled, record.stayed, record.complaints) == ([], [], [])
    assert record.rebootstraps > 0
    found = rows(record.accounts, record.acts, "rebootstrap")
    assert [(row.client, row.mode) for row in found] == [(plan.driver.name, plan.mode) for plan in plans_of(drivers)]
    for row in found:
        assert damage(row) == [], f"{row.client}, {row.mode}"
        assert row.first_success is not None, f"{row.client}, {row.mode} did not come back"
