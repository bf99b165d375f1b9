"""A drill while it runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from appliance.cli.drill_events import words_for
from appliance.drills.watching import ClientStanding, Standing
from appliance.journal.events import Event, PhaseEnded, PhaseStarted, StepEnded, StepStarted

_PLAIN_STANDING_SECONDS = 5.0
_ROLES = {"producer": "producer", "assigned-consumer": "consumer", "group-consumer": "group consumer"}


class Screen:
    """Shows a run as lines; the base of the live picture. Use as a context manager around the run."""

    def __init__(self, console: Console, title: str) -> None:
        self.directory = Path()
        """Where the run's files lie; known once it has begun."""
        self._console, self._title = console, title
        self._at = 0.0
        self._told = 0.0

    def __enter__(self) -> Self:
        self._console.print(Text(self._title, style="bold"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str) -> None:
        """Print a line without a time of its own."""
        self._line(text, "dim")

    def writes_to(self, directory: Path) -> None:
        """Remember where the files are."""
        self.directory = directory

    def happened(self, event: Event) -> None:
        """Print what people want to know of an event."""
        self._at = max(self._at, event.at)
        words = words_for(event)
        if words is not None:
            self._line(words.text, words.style, event.at)

    def stands(self, standing: Standing) -> None:
        """Print the numbers now and then."""
        if standing.at - self._told >= _PLAIN_STANDING_SECONDS:
            self._told = standing.at
            self._line(f"{_overall(standing)}; {'; '.join(map(_plain_client, standing.clients))}", "", standing.at)

    def _line(self, text: str, style: str, at: float | None = None) -> None:
        clock = f"{at:7.1f}s  " if at is not None else " " * 10
        self._console.print(Text.assemble((clock, "dim"), (text, style)), soft_wrap=True)


class LiveScreen(Screen):
    """Lines above, and below them the phase, the step and a row per client, four times a second."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__(console, title)
        self._phase, self._steps = "", dict[str, str]()
        self._waiting = ""
        self._standing: Standing | None = None
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        super().__enter__()
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Print the line, and keep it below as what is being done."""
        super().say(text)
        self._waiting = text

    def happened(self, event: Event) -> None:
        """Print the event; keep the phase and the steps that last."""
        if isinstance(event, PhaseStarted):
            self._phase, self._waiting = event.phase, ""
        elif isinstance(event, PhaseEnded):
            self._waiting = ""
        elif isinstance(event, StepStarted):
            self._steps[event.step] = event.action
        elif isinstance(event, StepEnded):
            self._steps.pop(event.step, None)
        super().happened(event)

    def stands(self, standing: Standing) -> None:
        """Keep the numbers for the picture."""
        self._standing = standing

    def _picture(self) -> Group:
        steps = "; ".join(f"{step}: {action}" for step, action in self._steps.items())
        self._spinner.update(text=Text.assemble((self._phase or "starting", "bold cyan"), "  ", steps or self._waiting))
        if self._standing is None:
            return Group(Rule(style="dim"), self._spinner)
        return Group(Rule(style="dim"), self._spinner, Text(_overall(self._standing)), _table(self._standing))


def screen_for(console: Console, title: str) -> Screen:
    """Return the live picture on a terminal, plain lines elsewhere."""
    return LiveScreen(console, title) if console.is_terminal else Screen(console, title)


def _overall(standing: Standing) -> str:
    parts = [f"acknowledged {standing.acknowledged:,}"]
    if standing.unseen is not None:
        parts.append(f"not delivered yet {standing.unseen:,}")
    if standing.disrupted_for is not None:
        parts.append(f"RTO so far {standing.disrupted_for:.1f} s")
    elif standing.recovered_after is not None:
        parts.append(f"all clients back after {standing.recovered_after:.1f} s")
    return ", ".join(parts)


def _plain_client(client: ClientStanding) -> str:
    errors = f", {client.troubles} errors" if client.troubles else ""
    silent = f", silent for {client.silent_seconds:.1f} s" if (client.silent_seconds or 0) > 1 else ""
    return f"{client.name} {client.successes:,}{errors}{silent}"


def _table(standing: Standing) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("client", "role"):
        table.add_column(heading)
    for heading in ("acked / delivered", "errors", "last success", "longest gap"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in standing.clients:
        table.add_row(
            each.name,
            _ROLES[each.role],
            f"{each.successes:,}",
            Text(str(each.troubles), style="red" if each.troubles else "dim"),
            "" if each.silent_seconds is None else f"{each.silent_seconds:.1f} s ago",
            f"{each.longest_gap:.1f} s",
            Text("stable", style="green") if each.calm else Text("unsettled", style="yellow"),
        )
    return table
