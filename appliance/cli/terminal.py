"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def out() -> Console:
    """Return the console for results; made anew, so that redirected output is found."""
    return Console(soft_wrap=True, highlight=False, markup=False)


def err() -> Console:
    """Return the console for errors and remarks."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def table(*columns: str) -> Table:
    """Return an empty table in the style of all our tables."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
