"""The report for people: one HTML file without script, network or fonts of its own.

Everything from the run passes jinja2's escaping or the timeline's own; the page also forbids itself any load by
a content security policy. The templates are `reports/templates/*.html.j2`, one per section, and one style sheet.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from appliance.bundled import TEMPLATES
from appliance.journal.events import FaultArmed, FaultEnded, FinalRead, Noted, RunEnded
from appliance.report import figures
from appliance.report.chronicle import chronicle
from appliance.report.findings import findings, is_clean, was_read
from appliance.report.headline import MEANINGS, TONES, WORDS
from appliance.report.headline import figures as headline_figures
from appliance.report.narrative import narrative
from appliance.report.record import RunRecord, read_record
from appliance.report.timeline.drawing import draw_timeline
from appliance.report.uptime import uptimes


def render_html(directory: Path) -> str:
    """Return the text of `index.html` for the run record in this directory.

    Raises ReportError where a file is missing or the summary cannot be read.
    """
    return render(read_record(directory))


def render(record: RunRecord) -> str:
    """Return the text of `index.html` for a record that was read already."""
    summary, events = record.summary, record.events
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            summary=summary,
            record=record,
            word=WORDS[summary.verdict],
            meaning=MEANINGS[summary.verdict],
            tone=TONES.get(summary.verdict, "bad"),
            figures=headline_figures(summary, events),
            narrative=narrative(summary, events),
            timeline=Markup(draw_timeline(summary, events)),  # noqa: S704 - escaped where it is drawn
            uptimes=uptimes(summary),
            findings=findings(summary),
            chronicle=chronicle(events),
            notes=[event.text for event in events if isinstance(event, Noted)],
            ending=next((event for event in events if isinstance(event, RunEnded)), None),
            armed={event.fault: event for event in events if isinstance(event, FaultArmed)},
            ended={event.fault: event for event in events if isinstance(event, FaultEnded)},
            was_read=was_read(summary, events),
            final_reads=[event for event in events if isinstance(event, FinalRead)],
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (
        figures.amount,
        figures.bound,
        figures.count,
        figures.date,
        figures.listing,
        figures.moment,
        figures.relation,
        figures.seconds,
        figures.share,
    )
    environment.filters.update({each.__name__: each for each in words})
    environment.tests["clean"] = is_clean
    environment.globals["tones"] = TONES
    environment.globals["style"] = Markup(_template("report.css"))  # noqa: S704 - ours
    return environment


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
