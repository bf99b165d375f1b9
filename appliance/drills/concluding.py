"""From a run's closed files to its verdict and its report."""

from __future__ import annotations

import hashlib
from pathlib import Path

from appliance.drills.judge import judge
from appliance.drills.ledger import read_ledger
from appliance.drills.run_directory import RunDirectory
from appliance.drills.scenario import Scenario
from appliance.journal.chain import head_of, read_journal
from appliance.report.rendering import write_reports
from appliance.report.summary import Integrity, Summary


def conclude(scenario: Scenario, directory: RunDirectory, surviving: str) -> Summary:
    """Judge the record as it stands on the disk, write `summary.json` and the reports, return the summary."""
    events = list(read_journal(directory.journal))
    integrity = Integrity(
        journal_head=head_of(directory.journal),
        journal_events=len(events),
        ledger_sha256=sha256_of(directory.ledger),
        scenario_sha256=sha256_of(directory.scenario),
    )
    summary = judge(scenario, events, read_ledger(directory.ledger), surviving=surviving, integrity=integrity)
    directory.summary.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_reports(directory.path)
    return summary


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
