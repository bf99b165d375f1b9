"""Write the report beside the record that it was made from."""

from __future__ import annotations

from pathlib import Path

from appliance.report.html import render
from appliance.report.junit import render_junit
from appliance.report.record import read_record


def write_reports(directory: Path) -> None:
    """Write `index.html` and `junit.xml` from the run record in this directory, over earlier ones.

    Raises ReportError where a file is missing or the summary cannot be read, OSError where the disk refuses.
    A journal that is not intact is no error: the report says so.
    """
    record = read_record(directory)
    (directory / "index.html").write_text(render(record), encoding="utf-8")
    (directory / "junit.xml").write_text(render_junit(record.summary), encoding="utf-8")
