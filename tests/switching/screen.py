"""What the terminal shows: what is being done, and the table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.showing import Showing
from tests.switching.rows import Row, Switched


class Screen(Showing):
    """See Showing."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said = ""
        self._rows: Sequence[Row] = ()

    def tell(self, text: str) -> None:
        """Say what is being done; the same again is not said again."""
        if text == self._said:
            return
        self._said = text
        if self._live is None:
            self._console.print(text, markup=False, highlight=False)
        else:
            self._spinner.update(text=text)
            self._show()

    def rows(self, rows: Sequence[Row]) -> None:
        """Show what has been found so far."""
        self._rows = rows
        if self._live is not None:
            self._show()

    def _show(self) -> None:
        assert self._live is not None
        self._live.update(Group(_table(self._rows), self._spinner) if self._rows else Group(self._spinner))


def table(found: Switched) -> Group:
    """Return the result of a run, with all that did not hold below it."""
    said = [Text(f"gateway: {each}", "red") for each in found.complaints]
    said += [Text(f"no switchover: {each}", "yellow") for each in found.spoiled]
    said += [Text(f"killed at the end, remedies {remedies}: {each}", "yellow") for remedies, each in found.stayed]
    said += [Text(f"{name}: not run: {why}", "yellow") for name, why in found.not_run.items()]
    for row in found.rows:
        if row.broken or row.errors:
            what = f"{row.client}, {row.mode}, {row.act}, remedies {row.remedies}"
            style = "red" if row.broken and row.remedies == "on" else "dim"
            said.append(Text(f"{what}: {', '.join(row.broken) or 'held'}{f' | {row.said}' if row.said else ''}", style))
    return Group(_table(found.rows), *said)


def _table(rows: Sequence[Row]) -> Table:
    names = ["first", "stable", "lost", "twice", "skipped", "again", "disorder", "errors"]
    shown = Table("client", "doing", "switch", "remedies", *names)
    for row in rows:
        style = "" if not row.broken else "red" if row.remedies == "on" else "dim"
        counts = (row.lost, row.duplicated, row.skipped, row.redelivered, row.out_of_order, row.errors)
        cells = [seconds(row.first_success), seconds(row.stable), *map(str, counts)]
        shown.add_row(row.client, row.mode, row.act, row.remedies, *cells, style=style)
    return shown


def seconds(found: float | None) -> str:
    """Return a time for the table; a dash where it never came."""
    return "never" if found is None else f"{found:.1f} s"
