"""`python -m tests.soak`: run it, show what held."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from appliance.lab import LabError
from tests.bench.sides import ROOT, BenchError
from tests.interrupting import end_on_sigterm
from tests.soak.judging import Check, judge
from tests.soak.soak import Outcome, SoakError, Wish, soak

_OUT = ROOT / "reports" / "out" / "soak"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; return the exit status: 0 where all checks held, 1 where one did not, 2 where it was not done."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    end_on_sigterm()
    try:
        wish = _wish(options)
        outcome = trio.run(soak, wish, partial(console.print, highlight=False, markup=False))
    except (SoakError, BenchError, LabError) as error:
        console.print("[red]no soak[/]: ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; nothing was judged")
        return 130
    checks = judge(outcome.evidence)
    console.print(_users_table(outcome))
    for user, what, told, times in outcome.errors:
        console.print(f"{user}, {what}: {told} ({times} times)", markup=False, highlight=False, soft_wrap=True)
    console.print(_checks_table(checks))
    console.print(f"ledger and logs: {wish.directory}", highlight=False, markup=False)
    return 0 if all(check.ok for check in checks) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="mixed load through the gateway")
    parser.add_argument("--minutes", type=float, default=60.0, help="of load (60)")
    parser.add_argument("--rate", type=int, default=200, help="records a second, all writers together (200)")
    parser.add_argument("--workers", type=int, help="processes of the gateway (the gateway's default; 2 with a kill)")
    parser.add_argument(
        "--out", type=Path, default=_OUT, metavar="DIR", help="ledger and logs go to DIR/<start> (reports/out/soak)"
    )
    parser.add_argument("--kill-worker", action="store_true", help="kill -9 one of them in the middle")
    options = parser.parse_args(arguments)
    if options.minutes <= 0 or options.rate < 4:
        parser.error("expected --minutes above 0 and --rate 4 or more")
    return options


def _wish(options: argparse.Namespace) -> Wish:
    workers = options.workers
    if options.kill_worker:
        workers = workers or 2
        if workers < 2:
            raise SoakError("--kill-worker needs --workers 2 or more: somebody has to be left undisturbed")
    directory = options.out.absolute() / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return Wish(options.minutes * 60, options.rate, workers, options.kill_worker, directory)


def _users_table(outcome: Outcome) -> Table:
    table = Table(title="what the users did", title_style="dim", title_justify="left")
    for column in ("user", "what"):
        table.add_column(column)
    for column in ("count", "failures", "p50, ms", "p99, ms"):
        table.add_column(column, justify="right")
    keys = ("user", "what", "count", "failures", "p50", "p99")
    for row in sorted(outcome.users, key=lambda row: (str(row["user"]), str(row["what"]))):
        table.add_row(*(str(row[key]) for key in keys))
    return table


def _checks_table(checks: Sequence[Check]) -> Table:
    table = Table(title="what must hold", title_style="dim", title_justify="left")
    for column in ("", "found", ""):
        table.add_column(column)
    for check in checks:
        table.add_row(check.name, escape(check.found), "[green]held[/]" if check.ok else "[red]did not hold[/]")
    return table


if __name__ == "__main__":
    sys.exit(main())
