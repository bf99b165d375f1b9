"""A drill's summary on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from appliance.report.summary import Ledger, Summary

_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_COUNTS = (
    ("lost", "acknowledged, and absent from the surviving log"),
    ("duplicated", "extra copies in the surviving log"),
    ("reordered", "in the log, or to a consumer, behind a later record"),
    ("redelivered", "delivered to a consumer that had it already"),
    ("skipped", "passed over by a consumer"),
    ("altered", "with other content than was sent"),
)


def show_result(console: Console, summary: Summary, directory: Path, file: Path) -> None:
    """Print verdict, objectives, ledger and recovery, the report's path and how to repeat the run."""
    console.print()
    style = _STYLES.get(summary.verdict, "red")
    banner = Text(summary.verdict.upper(), style=f"bold {style}")
    lines = Text("\n").join([banner, *(Text(f"- {reason}") for reason in summary.reasons)])
    console.print(Panel(lines, title=Text(summary.title), title_align="left", border_style=style))
    if summary.clusters:  # else nothing ever ran, and the reasons say all there is
        _show_objectives(console, summary)
        _show_ledger(console, summary.ledger, summary.surviving_cluster)
        _show_recovery(console, summary)
    console.print(Text.assemble(("lab     ", "dim"), summary.lab, f": {summary.lab_note}" if summary.lab_note else ""))
    console.print(Text.assemble(("report  ", "dim"), str(directory / "index.html")), soft_wrap=True)
    repeat = f"tidegate drill run {file} --lab {summary.lab} --seed {summary.seed}"
    repeat += f" --workers {summary.workers}" if summary.workers > 1 else ""
    repeat += f" --security {summary.security}" if summary.security != "none" else ""
    console.print(Text.assemble(("repeat  ", "dim"), repeat), soft_wrap=True)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading)
    return table


def _show_objectives(console: Console, summary: Summary) -> None:
    table = _table("objectives", "name", "metric", "target", "measured", "")
    for each in summary.objectives:
        verdict = Text(each.verdict, style=_STYLES[each.verdict])
        table.add_row(each.name, each.metric, each.target, each.measured, verdict)
    console.print(table, "")


def _show_ledger(console: Console, ledger: Ledger, surviving: str) -> None:
    table = _table(f"records, by the log of {surviving}", "", "", "")
    table.add_row("acknowledged", f"{ledger.acknowledged:,}", Text("to the producers", style="dim"))
    for name, meaning in _COUNTS:
        count = getattr(ledger, name)
        table.add_row(name, Text(f"{count:,}", style="red" if count else ""), Text(meaning, style="dim"))
    found = f"without an answer; {ledger.indeterminate_found:,} of them are in the log"
    table.add_row("indeterminate", f"{ledger.indeterminate:,}", Text(found, style="dim"))
    table.columns[1].justify = "right"
    table.show_header = False
    console.print(table, "")


def _show_recovery(console: Console, summary: Summary) -> None:
    if not any(each.disrupted_at is not None for each in summary.recovery):
        return
    table = _table("recovery", "client", "role", "first success", "stable", "longest gap")
    for each in summary.recovery:
        table.add_row(
            each.client,
            each.role,
            _seconds(each.first_success_seconds),
            _seconds(each.stable_seconds),
            _seconds(each.longest_gap_seconds),
        )
    console.print(table, "")


def _seconds(value: float | None) -> Text:
    return Text("not within the window", style="red") if value is None else Text(f"{value:.2f} s")
