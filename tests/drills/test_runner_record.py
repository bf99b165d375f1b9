from datetime import UTC, datetime

from appliance.drills.record import RunClock, RunRecord
from appliance.drills.run_directory import make_run_directory
from appliance.journal.chain import read_journal
from appliance.journal.events import Event, Noted, PhaseStarted, RunStarted

_STARTED = RunStarted(
    at=0.0,
    scenario="s",
    scenario_sha256="0",
    seed=1,
    lab="embedded",
    started="2026-11-23T14:15:00Z",
    versions={},
)


def test_the_run_comes_first_whatever_was_known_before_it(tmp_path):
    seen: list[Event] = []
    record = RunRecord(tmp_path / "journal.jsonl", seen.append)
    early, late = PhaseStarted(at=0.1, phase="validate"), Noted(at=2.0, text="late")
    record.add(early)
    record.begin(_STARTED)
    record.begin(_STARTED)
    record.add(late)
    record.close()
    assert list(read_journal(tmp_path / "journal.jsonl")) == [_STARTED, early, late]
    assert seen == [early, _STARTED, late]


def test_the_clock_starts_at_zero_and_runs_forward():
    clock = RunClock()
    first = clock()
    assert 0 <= first < 1
    assert clock() >= first
    assert clock.started.tzinfo is UTC


def test_no_two_runs_share_a_directory(tmp_path):
    started = datetime(2026, 11, 23, 14, 15, tzinfo=UTC)
    paths = [make_run_directory(tmp_path, "planned-switch", started).path for _ in range(3)]
    stamps = ["20261123T141500Z", "20261123T141500Z-2", "20261123T141500Z-3"]
    assert paths == [tmp_path / "planned-switch" / each for each in stamps]
    assert all((path / "logs").is_dir() for path in paths)
