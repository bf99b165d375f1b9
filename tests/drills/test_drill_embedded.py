"""Whole drills on the embedded lab: the gateway as a process, librdkafka's clients, faults, switchover, report."""

from importlib.resources import as_file
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from confluent_kafka import Consumer, TopicPartition

from appliance.bundled import SCENARIOS
from appliance.drills import access
from appliance.drills.declarations import plan_lab
from appliance.drills.interruption import Interruption
from appliance.drills.ledger import read_ledger
from appliance.drills.runner import run_drill
from appliance.drills.scenario import Scenario, load_scenario, parse_scenario
from appliance.drills.watching import Silence, Standing
from appliance.journal.chain import read_journal
from appliance.journal.events import (
    ClusterDescribed,
    FaultArmed,
    FaultEnded,
    FinalRead,
    LabActed,
    PhaseEnded,
    PhaseStarted,
    RunEnded,
    RunStarted,
    StepStarted,
    SwitchoverProgressed,
)
from appliance.lab import open_lab
from appliance.report.summary import Summary

pytestmark = [pytest.mark.drill, pytest.mark.timeout(180)]


_SHORT = """
apiVersion: tidegate/v1
kind: Scenario
metadata: {name: short}
lab:
  clusters: {primary: {}}
  virtual_cluster: {name: orders, cluster: primary}
  topics: {orders: {partitions: 2}}
traffic:
  - {name: shop, produce: {topic: orders, rate: 50/s}}
  - {name: ledger, consume: {topic: orders}}
baseline: 1s
steps:
  - {id: slow, fault: {select: {apis: [Produce]}, latency: {delay: 20ms}, duration: 1s}}
settle: 1s
objectives:
  - {name: nothing lost, metric: lost.records, eq: 0}
"""


class _Place(Silence):
    """Remembers where the run wrote, and asks for its end when a step begins."""

    def __init__(self, interruption=None, at_step=""):
        self.directory = Path()
        self._interruption, self._at_step = interruption, at_step
        self.standings: list[Standing] = []

    def writes_to(self, directory):
        self.directory = directory

    def happened(self, event):
        if self._interruption and isinstance(event, StepStarted) and event.step == self._at_step:
            self._interruption.request("SIGINT")

    def stands(self, standing):
        self.standings.append(standing)


def _bundled(name: str) -> tuple[Scenario, str]:
    with as_file(SCENARIOS / f"{name}.yaml") as path:
        return load_scenario(path)


async def _run(name: str, tmp_path: Path, place: _Place, interruption: Interruption | None = None) -> Summary:
    scenario, text = _bundled(name)
    return await run_drill(scenario, text, lab_kind="embedded", out=tmp_path, progress=place, interruption=interruption)


async def test_a_planned_switch_passes_and_leaves_a_whole_record(tmp_path):
    place = _Place()
    summary = await _run("planned-switch", tmp_path, place)
    assert (summary.verdict, summary.exit_code, summary.reasons) == ("pass", 0, [])
    assert summary.surviving_cluster == "standby"
    assert (summary.ledger.lost, summary.ledger.duplicated, summary.ledger.reordered) == (0, 0, 0)

    events = list(read_journal(place.directory / "journal.jsonl"))
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    phases = [event.phase for event in events if isinstance(event, PhaseStarted)]
    assert phases == ["preflight", "baseline", "run", "heal", "settle", "final-read"]
    assert [event.phase for event in events if isinstance(event, PhaseEnded) and event.ok] == phases
    assert {event.cluster: event.role for event in events if isinstance(event, ClusterDescribed)} == {
        "primary": "primary",
        "standby": "standby",
    }
    armed = [event.fault for event in events if isinstance(event, FaultArmed)]
    assert armed == ["slow-orders"]
    assert all(event.fired > 0 for event in events if isinstance(event, FaultEnded))
    assert [event.state for event in events if isinstance(event, SwitchoverProgressed)][-1] == "done"
    acted = [event.action for event in events if isinstance(event, LabActed)]
    assert acted == ["pause", "resume"], "what was paused must be resumed by healing"

    ledger = read_ledger(place.directory / "ledger.jsonl")
    acknowledged = {row.id for row in ledger.writes if row.outcome == "acknowledged"}
    on_standby = [row.id for row in ledger.stored if row.cluster == "standby"]
    assert acknowledged <= set(on_standby)
    assert sum(event.records for event in events if isinstance(event, FinalRead)) == len(ledger.stored)
    for name in ("scenario.yaml", "summary.json", "junit.xml", "index.html", "logs/gateway.log"):
        assert (place.directory / name).stat().st_size > 0, name
    assert Summary.model_validate_json((place.directory / "summary.json").read_text()) == summary
    assert not (place.directory / "gateway" / "token").exists()
    assert place.standings[-1].acknowledged > 0


@pytest.mark.long
async def test_a_planned_switch_passes_with_the_gateway_in_two_processes(tmp_path):
    scenario, text = _bundled("planned-switch")
    place = _Place()
    summary = await run_drill(scenario, text, lab_kind="embedded", out=tmp_path, progress=place, workers=2)
    assert (summary.verdict, summary.exit_code, summary.reasons) == ("pass", 0, [])
    assert (summary.ledger.lost, summary.ledger.duplicated, summary.ledger.reordered) == (0, 0, 0)
    events = list(read_journal(place.directory / "journal.jsonl"))
    assert all(event.fired > 0 for event in events if isinstance(event, FaultEnded))
    assert summary.workers == 2
    assert "The gateway served in 2 processes" in (place.directory / "index.html").read_text()


async def test_a_careless_producer_fails_the_drill_and_is_named(tmp_path):
    summary = await _run("careless-producer", tmp_path, _Place())
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    doubled = [row for row in summary.partitions if row.duplicated]
    assert {row.client for row in doubled} == {"careless"}
    assert sum(row.duplicated for row in doubled) == summary.ledger.duplicated > 0
    assert "careless in orders/" in summary.reasons[0]


async def test_clients_come_over_tls_with_passwords_that_are_nowhere_to_be_read(tmp_path, monkeypatch):
    made = ["a-password-of-the-run", "another-password-of-the-run"]
    passwords = iter(made)
    commands: list[bytes] = []

    class _Looking(_Place):
        def happened(self, event):
            super().happened(event)
            if isinstance(event, StepStarted):
                commands.extend(process.read_bytes() for process in _processes())

    monkeypatch.setattr(access, "secrets", SimpleNamespace(token_urlsafe=lambda _: next(passwords)))
    place = _Looking()
    summary = await run_drill(
        parse_scenario(_SHORT, "short.yaml"),
        _SHORT,
        lab_kind="embedded",
        out=tmp_path,
        progress=place,
        security="tls-scram",
    )
    assert (summary.verdict, summary.reasons, summary.security) == ("pass", [], "tls-scram")
    log = (place.directory / "logs" / "gateway.log").read_text()
    for client in ("shop", "ledger"):
        assert f"principal User:{client}, mechanism SCRAM-SHA-512" in log
    assert "over TLS and proved who they were with SCRAM-SHA-512" in (place.directory / "index.html").read_text()
    assert any(b"serve" in command for command in commands)
    left = b"".join([*commands, *(file.read_bytes() for file in place.directory.rglob("*") if file.is_file())])
    assert not [password for password in made if password.encode() in left]


def _processes() -> list[Path]:
    """Return the files that hold the command lines of this machine's processes."""
    return [file for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]


async def test_a_lab_from_outside_runs_on_and_holds_what_the_ledger_says(tmp_path):
    scenario, text = _bundled("careless-producer")
    async with open_lab(plan_lab(scenario.lab), kind="embedded", directory=tmp_path / "lab") as lab:
        summary = await run_drill(scenario, text, lab=lab, out=tmp_path, progress=Silence())
        primary = lab.clusters["primary"]
        assert all(broker.state == "running" for broker in primary.brokers.values())
        values = await trio.to_thread.run_sync(_values, ",".join(primary.bootstrap), "orders", 3)
    assert len(values) - len(set(values)) == summary.ledger.duplicated > 0
    assert len(set(values)) >= summary.ledger.acknowledged


def _values(bootstrap: str, topic: str, partitions: int) -> list[bytes]:
    """Read a topic to its end, by none of the drill's own means."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "count", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
    values, ended = [], 0
    while ended < partitions:
        for message in consumer.consume(500, 1.0):
            if message.error() is None:
                values.append(message.value() or b"")
            else:
                ended += 1
    consumer.close()
    return values


async def test_an_interrupted_drill_is_healed_judged_and_reported(tmp_path):
    interruption = Interruption()
    place = _Place(interruption, at_step="slow-orders")
    summary = await _run("planned-switch", tmp_path, place, interruption)
    assert (summary.verdict, summary.exit_code) == ("interrupted", 130)
    events = list(read_journal(place.directory / "journal.jsonl"))
    assert {event.fault for event in events if isinstance(event, FaultArmed)} == {
        event.fault for event in events if isinstance(event, FaultEnded)
    }
    assert [event for event in events if isinstance(event, PhaseEnded) and event.phase == "heal" and event.ok]
    assert summary.surviving_cluster == "primary"
    assert summary.ledger.lost == 0
    assert (place.directory / "index.html").stat().st_size > 0


async def test_what_the_lab_cannot_show_is_inconclusive_and_nothing_is_disturbed(tmp_path):
    place = _Place()
    summary = await _run("producer-identity", tmp_path, place)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert not [event for event in read_journal(place.directory / "journal.jsonl") if isinstance(event, FaultArmed)]


async def test_an_interruption_before_the_lab_is_up_leaves_a_report_too(tmp_path):
    interruption = Interruption()

    class _Impatient(_Place):
        def say(self, text):
            if "starting cluster" in text:
                interruption.request("SIGTERM")

    place = _Impatient()
    with trio.fail_after(30):
        summary = await _run("careless-producer", tmp_path, place, interruption)
    assert (summary.verdict, summary.exit_code) == ("interrupted", 130)
    assert (place.directory / "junit.xml").stat().st_size > 0
