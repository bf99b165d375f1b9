"""The shipped scenarios on real Kafka and MirrorMaker 2: those that must pass, and those that must not."""

from importlib.resources import as_file
from typing import Any

import pytest
import trio
from kafka import KafkaConsumer, TopicPartition

from appliance.bundled import SCENARIOS
from appliance.drills.declarations import plan_lab
from appliance.drills.ledger import read_ledger
from appliance.drills.runner import run_drill
from appliance.drills.scenario import Scenario, load_scenario
from appliance.drills.watching import Silence
from appliance.lab import open_lab
from appliance.report.summary import Summary

AHEAD = 30
"""So much lower are the standby's offsets in the scenarios about offsets."""
pytestmark = [pytest.mark.drill, pytest.mark.kafka, pytest.mark.timeout(300)]


def _scenario(name: str) -> tuple[Scenario, str]:
    with as_file(SCENARIOS / f"{name}.yaml") as path:
        return load_scenario(path)


async def _run(name, tmp_path, **ways) -> Summary:
    scenario, text = _scenario(name)
    return await run_drill(scenario, text, lab_kind="apache", out=tmp_path, **ways)


ONE: dict[str, Any] = {}
TWO: dict[str, Any] = {"workers": 2}
SECURED: dict[str, Any] = {"security": "tls-scram"}
IN_EVERY_WAY = pytest.mark.parametrize("ways", [ONE, TWO, SECURED], ids=["plain", "two-workers", "tls-scram"])


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("planned-switch", ONE),
        pytest.param("planned-switch", TWO, marks=pytest.mark.long),
        pytest.param("planned-switch", SECURED, marks=pytest.mark.long),
        pytest.param("planned-switch", TWO | SECURED, marks=pytest.mark.long),
        ("producer-identity", ONE),
        pytest.param("producer-identity", TWO, marks=pytest.mark.long),
        pytest.param("producer-identity", SECURED, marks=pytest.mark.long),
    ],
)
async def test_nothing_is_lost_doubled_or_reordered(name, ways, tmp_path):
    summary = await _run(name, tmp_path, **ways)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert summary.surviving_cluster == "standby"
    assert (summary.ledger.lost, summary.ledger.duplicated, summary.ledger.reordered) == (0, 0, 0)
    assert all(fault.fired > 0 for fault in summary.faults)


@pytest.mark.long
@IN_EVERY_WAY
async def test_a_blackout_loses_and_doubles_nothing(ways, tmp_path):
    summary = await _run("blackout", tmp_path, **ways)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert [(fault.type, fault.fired > 0) for fault in summary.faults] == [("outage", True)]


@pytest.mark.long
@IN_EVERY_WAY
async def test_a_careless_producer_doubles_records_and_is_named(ways, tmp_path):
    summary = await _run("careless-producer", tmp_path, **ways)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    doubled = [row for row in summary.partitions if row.duplicated]
    assert {row.client for row in doubled} == {"careless"}
    assert summary.ledger.duplicated == sum(row.duplicated for row in doubled) > 0


@pytest.mark.long
@IN_EVERY_WAY
async def test_without_tags_acknowledged_records_are_absent_and_the_report_names_them(ways, tmp_path):
    summary = await _run("producer-identity-untagged", tmp_path, **ways)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    robbed = [row for row in summary.partitions if row.lost]
    assert all(row.client.startswith("younger-") for row in robbed)
    assert summary.ledger.lost == sum(row.lost for row in robbed) > 0
    assert all(any(f"lost {row.client}/0/" in sample for sample in row.samples) for row in robbed)


@pytest.mark.parametrize("name", ["group-rejoin", "classic-hold", "continuous-offsets"])
@pytest.mark.long
async def test_no_consumer_misses_a_record_or_gets_one_out_of_order(name, tmp_path):
    summary = await _run(name, tmp_path)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert (summary.ledger.lost, summary.ledger.skipped, summary.ledger.reordered) == (0, 0, 0)


@pytest.mark.long
async def test_without_rejoining_a_group_of_the_new_protocol_misses_what_comes_and_the_report_names_it(tmp_path):
    summary = await _run("group-rejoin-off", tmp_path)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    assert {row.client for row in summary.partitions if row.skipped} == {"billing"}


@pytest.mark.long
async def test_without_the_hold_a_classic_group_reads_out_of_order_and_the_report_names_the_records(tmp_path):
    summary = await _run("classic-hold-off", tmp_path)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    damaged = {row.partition: row for row in summary.partitions if row.reordered}
    assert {row.client for row in damaged.values()} == {"billing"}
    assert summary.ledger.skipped == 0
    for row in damaged.values():
        assert row.reordered == AHEAD, "as many as the offsets differ by"
        assert any(f"reordered shop/{row.partition}/" in sample for sample in row.samples)


@pytest.mark.long
async def test_without_continuous_offsets_a_reader_passes_over_records_and_the_report_names_them(tmp_path):
    summary = await _run("continuous-offsets-off", tmp_path)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    damaged = {row.partition: row for row in summary.partitions if row.skipped}
    assert {row.client for row in damaged.values()} == {"ledger"}
    for row in damaged.values():
        assert row.skipped == AHEAD, "as many as the offsets differ by"
        assert any(f"skipped shop/{row.partition}/" in sample for sample in row.samples)
    (directory,) = (tmp_path / "continuous-offsets-off").iterdir()
    assert "so offsets on standby are lower by as many" in (directory / "index.html").read_text()


@pytest.mark.parametrize("ways", [ONE, *(pytest.param(each, marks=pytest.mark.long) for each in (TWO, SECURED))])
async def test_the_loss_of_a_region_is_what_a_count_of_our_own_finds(ways, tmp_path):
    scenario, text = _scenario("region-loss")
    async with open_lab(plan_lab(scenario.lab), kind="apache", directory=tmp_path / "lab") as lab:
        summary = await run_drill(scenario, text, lab=lab, out=tmp_path, progress=Silence(), **ways)
        stored = await trio.to_thread.run_sync(_ids, lab.clusters["standby"].bootstrap, "orders", 6)
    assert (summary.verdict, summary.reasons) == ("pass", [])
    assert all(each.stable_seconds is not None for each in summary.recovery)
    (directory,) = (tmp_path / "region-loss").iterdir()
    acknowledged = {row.id for row in read_ledger(directory / "ledger.jsonl").writes if row.outcome == "acknowledged"}
    assert len(acknowledged) == summary.ledger.acknowledged
    assert len(acknowledged - stored) == summary.ledger.lost > 0


def _ids(bootstrap: list[str], topic: str, partitions: int) -> set[str]:
    """Read a topic with another library than the drill's; return the ids of all records."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer.assign(wanted)
    ends = consumer.end_offsets(wanted)
    found = set()
    while any(consumer.position(each) < ends[each] for each in wanted):
        for records in consumer.poll(timeout_ms=1000).values():
            found |= {"/".join(record.value.decode().split("|")[1:4]) for record in records}
    consumer.close()
    return found
