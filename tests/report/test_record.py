from __future__ import annotations

from pathlib import Path

import pytest

from appliance.report import ReportError, write_reports
from appliance.report.html import render_html
from appliance.report.record import read_record
from tests.report.conftest import RunOf
from tests.report.page import read_page


def _alarm(directory: Path) -> str:
    text = read_page(render_html(directory)).text
    return text[: text.index("Disaster recovery readiness report")]


def test_an_intact_record_raises_no_alarm(run_of: RunOf) -> None:
    directory = run_of("pass")
    assert read_record(directory).broken == []
    text = read_page(render_html(directory)).text
    assert "INTEGRITY BROKEN" not in text
    assert "Intact." in text


def _alter(lines: list[str]) -> list[str]:
    return [*lines[:9], lines[9].replace('"at"', '"At"'), *lines[10:]]


def _swap(lines: list[str]) -> list[str]:
    return [*lines[:9], lines[10], lines[9], *lines[11:]]


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_alter, "line 10: the line is not bound to the one before it"),
        (_swap, "line 10: the line is not bound to the one before it"),
        (lambda lines: lines[1:], "line 1: the line is not bound"),
        (lambda lines: lines[:-1], "hash of the last line (head)"),
        (lambda lines: [*lines, "{"], "expected an event line"),
        (lambda lines: [*lines[:5], "[]\n", *lines[5:]], "line 6: expected an event line"),
        (lambda lines: [*lines, '"\\ud800"\n'], "no hash in the last line"),
        (lambda _: [], "number of lines"),
    ],
)
def test_a_journal_that_was_tampered_with_is_flagged_not_refused(run_of: RunOf, tamper, told: str) -> None:
    path = run_of("pass") / "journal.jsonl"
    path.write_text("".join(tamper(path.read_text().splitlines(keepends=True))))
    write_reports(path.parent)
    alarm = _alarm(path.parent)
    assert alarm.count("INTEGRITY BROKEN") == 1
    assert told in alarm


def test_bytes_that_are_no_text_are_flagged(run_of: RunOf) -> None:
    path = run_of("pass") / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    assert "INTEGRITY BROKEN" in _alarm(path.parent)


@pytest.mark.parametrize("name", ["scenario.yaml", "ledger.jsonl"])
def test_an_altered_file_is_flagged(run_of: RunOf, name: str) -> None:
    path = run_of("pass") / name
    path.write_text(path.read_text() + "\n")
    assert f"{name} , SHA-256 of the file: expected" in _alarm(path.parent).replace(f"{name},", f"{name} ,")


def test_a_ledger_that_is_elsewhere_is_unchecked_not_broken(run_of: RunOf) -> None:
    directory = run_of("pass")
    (directory / "ledger.jsonl").unlink()
    assert read_record(directory).broken == []
    assert "Not checked: ledger.jsonl." in read_page(render_html(directory)).text


@pytest.mark.parametrize("name", ["summary.json", "journal.jsonl", "scenario.yaml"])
def test_a_missing_file_is_an_error_that_names_it(run_of: RunOf, name: str) -> None:
    path = run_of("pass") / name
    path.unlink()
    with pytest.raises(ReportError, match=name):
        write_reports(path.parent)


@pytest.mark.parametrize("text", ["", "{}", '{"format": "tidegate/summary/v2"}', "\ud7ff"])
def test_an_unreadable_summary_is_an_error(run_of: RunOf, text: str) -> None:
    path = run_of("pass") / "summary.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"expected a summary of format tidegate/summary/v1"):
        write_reports(path.parent)


def test_both_reports_are_written_and_written_anew(run_of: RunOf) -> None:
    directory = run_of("hostile")
    write_reports(directory)
    write_reports(directory)
    assert (directory / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (directory / "junit.xml").read_text(encoding="utf-8").startswith("<?xml")
