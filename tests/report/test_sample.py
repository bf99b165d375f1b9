"""The committed sample is a real run's: whole, valid and passed."""

from pathlib import Path

from appliance.journal.chain import head_of, read_journal
from appliance.report.summary import Summary

SAMPLE = Path(__file__).resolve().parents[2] / "reports/sample"


def test_its_summary_names_the_journal_that_lies_beside_it():
    summary = Summary.model_validate_json((SAMPLE / "summary.json").read_text())
    assert summary.verdict == "pass"
    assert len(list(read_journal(SAMPLE / "journal.jsonl"))) == summary.integrity.journal_events
    assert head_of(SAMPLE / "journal.jsonl") == summary.integrity.journal_head
    assert summary.integrity.journal_head in (SAMPLE / "index.html").read_text()
