"""What the terminal shows: figures as they come, and the final table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Bar, Phase, Results, Side, Spread, bars


class Screen:
    """Shows a run on a terminal as it goes, and one line a step where the output is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spinner = Spinner("dots", "starting")
        self.results: Results | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show until the block ends; nothing of it stays."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._spinner, console=self._console, transient=True, refresh_per_second=8) as self._live:
            yield

    def tell(self, text: str) -> None:
        """Say what is being done."""
        if self._live is None:
            self._console.print(text, highlight=False)
        self._spinner.update(text=Text(text))

    def news(self) -> None:
        """Show the figures anew."""
        if self._live is not None and self.results is not None:
            self._live.update(Group(figures_table(self.results), self._spinner))


def figures_table(results: Results) -> Table:
    """Return everything measured, one row a figure, medians with their extremes."""
    table = Table(title="median (lowest to highest of the rounds)", title_style="dim", title_justify="left")
    table.add_column("")
    for side in Side:
        table.add_column(side.value, justify="right")
    for name, cells in rows(results):
        table.add_row(name, *cells)
    return table


def rows(results: Results) -> Iterator[tuple[str, list[str]]]:
    """Yield (figure, a cell for each side) for what there is."""

    def row(name: str, found: dict[Side, Spread | None], digits: int) -> Iterator[tuple[str, list[str]]]:
        if any(found.values()):
            yield name, [in_words(found[side], digits) if side in found else "" for side in Side]

    around = (Side.RELAY, Side.GATEWAY)
    for phase in (Phase.PRODUCE, Phase.CONSUME):
        yield from row(f"{phase}, MB/s", {side: results.throughput(phase, side) for side in Side}, 1)
        yield from row(f"{phase}, of direct", {side: results.throughput_ratio(phase, side) for side in around}, 2)
        yield from row(f"{phase}, CPU s/GB", {side: results.cpu_per_gigabyte(phase, side) for side in around}, 2)
        yield from row(f"{phase}, CPU of the relay's", {Side.GATEWAY: results.cpu_ratio(phase)}, 2)
    yield from row("round trip p50, ms", {side: results.round_trip(side, "p50") for side in Side}, 3)
    yield from row("round trip p99, ms", {side: results.round_trip(side, "p99") for side in Side}, 3)
    yield from row("added p50, ms", {side: results.added(side, "p50") for side in around}, 3)
    yield from row("added p99, ms", {side: results.added(side, "p99") for side in around}, 3)
    for name, at in (("RSS before, MB", 0), ("RSS with the connections, MB", 1), ("RSS at its peak, MB", 2)):
        found = {side: Spread.of([memory[at]]) for side, memory in results.memory.items()}
        yield from row(name, dict(found), 0)


def bars_table(results: Results) -> Table:
    """Return the verdicts."""
    table = Table(title="bars", title_style="dim", title_justify="left")
    for column in ("gateway", "wanted", "found", ""):
        table.add_column(column)
    for bar in bars(results):
        table.add_row(bar.name, bar.wanted, found(bar), "[green]met[/]" if bar.met else "[red]not met[/]")
    return table


def found(bar: Bar) -> str:
    """Return what was measured, in words."""
    return in_words(bar.figure, 0 if "MB" in bar.unit else 2) + bar.unit


def in_words(spread: Spread | None, digits: int) -> str:
    """Return `median (lowest to highest)`; the median alone where nothing differs."""
    if spread is None:
        return ""
    middle = f"{spread.median:.{digits}f}"
    if spread.low == spread.high:
        return middle
    return f"{middle} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"
