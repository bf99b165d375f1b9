"""The files of one run directory, read and held against each other.

A journal that does not hang together does not stop the report: a reader must see what is there and be told loudly
that it was altered. Without `summary.json` there is nothing to report: that is an error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from appliance.journal.chain import BrokenJournal, head_of, read_journal
from appliance.journal.events import Event
from appliance.report.errors import MissingFileError, UnreadableSummaryError
from appliance.report.summary import Summary

SUMMARY = "summary.json"
JOURNAL = "journal.jsonl"
SCENARIO = "scenario.yaml"
LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Check:
    """One thing of the directory, held against what `summary.json` says of it."""

    file: str
    subject: str
    """What is compared, for people: `SHA-256 of the file`."""
    expected: str
    """Empty where the summary says nothing of it."""
    found: str
    state: Literal["holds", "broken", "unchecked"]
    remark: str = ""


@dataclass(frozen=True)
class RunRecord:
    """All that a report is made from."""

    summary: Summary
    events: list[Event]
    """In order; up to the first line that does not hang together."""
    scenario: str
    """The scenario's text as it was run; bytes that are not UTF-8 are replaced."""
    checks: list[Check]

    @property
    def broken(self) -> list[Check]:
        """The checks that failed; empty where the record is intact."""
        return [check for check in self.checks if check.state == "broken"]

    @property
    def unseen(self) -> list[str]:
        """The files that the summary names and that were not there to be checked."""
        return [check.file for check in self.checks if check.state == "unchecked" and check.expected]


def read_record(directory: Path) -> RunRecord:
    """Read a run directory and check that its files belong together.

    Raises MissingFileError and UnreadableSummaryError (both ReportError).
    """
    for name in (SUMMARY, JOURNAL, SCENARIO):
        if not (directory / name).is_file():
            raise MissingFileError(
                f"{directory / name}: expected the file of a finished run, found none; name a run's directory"
            )
    try:
        summary = Summary.model_validate_json((directory / SUMMARY).read_bytes())
    except ValidationError as error:
        raise UnreadableSummaryError(
            f"{directory / SUMMARY}: expected a summary of format tidegate/summary/v1: {error}"
        ) from error
    events, checks = _read_journal(directory / JOURNAL, summary)
    scenario = (directory / SCENARIO).read_bytes()
    checks.append(_same(SCENARIO, "SHA-256 of the file", summary.integrity.scenario_sha256, _sha256(scenario)))
    checks.append(_check_ledger(directory / LEDGER, summary.integrity.ledger_sha256))
    digest = _sha256((directory / SUMMARY).read_bytes())
    checks.append(
        Check(
            SUMMARY,
            "SHA-256 of the file",
            "",
            digest,
            "unchecked",
            "nothing binds it: keep this value apart from the files",
        )
    )
    return RunRecord(summary, events, scenario.decode(errors="replace"), checks)


def _read_journal(path: Path, summary: Summary) -> tuple[list[Event], list[Check]]:
    events: list[Event] = []
    try:
        events.extend(read_journal(path))
        chain = Check(path.name, "chain of its lines", "", f"{len(events)} lines, all bound", "holds")
    except (BrokenJournal, ValueError) as error:
        problem = str(error).replace(f"{path}:", "line ", 1)
        found = (
            f"lines 1 to {len(events)} are bound; later ones are not shown in this report"
            if events
            else "no line is bound"
        )
        chain = Check(path.name, "chain of its lines", "", found, "broken", problem)
    try:
        head = head_of(path)
    except (ValueError, KeyError, TypeError):
        head = "no hash in the last line"
    with path.open("rb") as lines:
        length = sum(1 for _ in lines)
    return events, [
        chain,
        _same(path.name, "hash of the last line (head)", summary.integrity.journal_head, head),
        _same(path.name, "number of lines", str(summary.integrity.journal_events), str(length)),
    ]


def _check_ledger(path: Path, expected: str) -> Check:
    subject = "SHA-256 of the file"
    if not path.is_file():
        return Check(path.name, subject, expected, "", "unchecked", "not beside this report when it was made")
    with path.open("rb") as file:
        return _same(path.name, subject, expected, hashlib.file_digest(file, "sha256").hexdigest())


def _same(file: str, subject: str, expected: str, found: str) -> Check:
    return Check(file, subject, expected, found, "holds" if expected == found else "broken")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
