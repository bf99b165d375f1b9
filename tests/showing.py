"""What every long run shows on a terminal: what it has found so far, and below it what it is doing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner


class Showing:
    """Shows a run on a terminal as it goes, and one line a step where the output is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spinner = Spinner("dots", "starting")

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show until the block ends; nothing of it stays."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._spinner, console=self._console, transient=True, refresh_per_second=8) as self._live:
            yield
        self._live = None
