"""The shipped scenarios on real Kafka and MirrorMaker 2: those that must pass, and those that must not."""

from importlib.resources import as_file

import pytest

from appliance.bundled import SCENARIOS
from appliance.drills.runner import run_drill
from appliance.drills.scenario import load_scenario
from appliance.report.summary import Summary

pytestmark = [pytest.mark.drill, pytest.mark.kafka, pytest.mark.timeout(300)]


async def _run(name, tmp_path) -> Summary:
    with as_file(SCENARIOS / f"{name}.yaml") as path:
        scenario, text = load_scenario(path)
    return await run_drill(scenario, text, lab_kind="apache", out=tmp_path)


@pytest.mark.parametrize("name", ["planned-switch", "producer-identity"])
async def test_nothing_is_lost_doubled_or_reordered(name, tmp_path):
    summary = await _run(name, tmp_path)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert summary.surviving_cluster == "standby"
    assert (summary.ledger.lost, summary.ledger.duplicated, summary.ledger.reordered) == (0, 0, 0)
    assert all(fault.fired > 0 for fault in summary.faults)


async def test_a_blackout_loses_and_doubles_nothing(tmp_path):
    summary = await _run("blackout", tmp_path)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert [(fault.type, fault.fired > 0) for fault in summary.faults] == [("outage", True)]


async def test_a_careless_producer_doubles_records_and_is_named(tmp_path):
    summary = await _run("careless-producer", tmp_path)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    doubled = [row for row in summary.partitions if row.duplicated]
    assert {row.client for row in doubled} == {"careless"}
    assert summary.ledger.duplicated == sum(row.duplicated for row in doubled) > 0


async def test_without_tags_acknowledged_records_are_absent_and_the_report_names_them(tmp_path):
    summary = await _run("producer-identity-untagged", tmp_path)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    robbed = [row for row in summary.partitions if row.lost]
    assert all(row.client.startswith("younger-") for row in robbed)
    assert summary.ledger.lost == sum(row.lost for row in robbed) > 0
    assert all(any(f"lost {row.client}/0/" in sample for sample in row.samples) for row in robbed)


async def test_the_loss_of_a_region_loses_a_bounded_number_of_records(tmp_path):
    summary = await _run("region-loss", tmp_path)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert 0 < summary.ledger.lost <= 2000
    assert all(each.stable_seconds is not None for each in summary.recovery)
