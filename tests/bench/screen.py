"""What the terminal shows: figures as they come, and the final tables."""

from __future__ import annotations

import trio
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.bench.bars import bars
from tests.bench.figures import Results
from tests.bench.plans import Plan
from tests.bench.tables import found, scaling_rows, sections
from tests.showing import Showing


class Screen(Showing):
    """See Showing."""

    def __init__(self, console: Console, plan: Plan) -> None:
        super().__init__(console)
        self._plan = plan
        self._started = trio.current_time()
        self.results: Results | None = None

    def tell(self, text: str) -> None:
        """Say what is being done, and since when."""
        minutes, seconds = divmod(int(trio.current_time() - self._started), 60)
        line = f"{minutes:2d}:{seconds:02d}  {text}"
        if self._live is None:
            self._console.print(line, highlight=False)
        self._spinner.update(text=Text(line))

    def news(self) -> None:
        """Show the figures anew."""
        if self._live is not None and self.results is not None:
            self._live.update(Group(figures_table(self.results, self._plan), self._spinner))


def figures_table(results: Results, plan: Plan) -> Table:
    """Return everything measured, one row a figure, medians with their extremes."""
    table = Table(title="median (lowest to highest of the rounds)", title_style="dim", title_justify="left")
    table.add_column("")
    for side in results.sides:
        table.add_column(side.value, justify="right")
    for section in sections(results, plan):
        table.add_section()
        table.add_row(f"[bold]{section.title}[/]")
        for name, cells in section.rows:
            table.add_row(name, *cells)
    return table


def scaling_table(results: Results) -> Table:
    """Return what a second worker brings."""
    table = Table(title="workers: CPU of the busiest one", title_style="dim", title_justify="left")
    for column in ("", "one worker", "of two", "two can do, of one"):
        table.add_column(column)
    for row in scaling_rows(results):
        table.add_row(*row)
    return table


def bars_table(results: Results) -> Table:
    """Return the verdicts."""
    table = Table(title="bars", title_style="dim", title_justify="left")
    for column in ("gateway", "wanted", "found", ""):
        table.add_column(column)
    for bar in bars(results):
        table.add_row(bar.name, bar.wanted, found(bar), "[green]met[/]" if bar.met else "[red]not met[/]")
    return table
