"""`python -m tests.fuzz`: fuzz, show how it goes, and end with 1 where something was found."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fuzz import campaign, sockets
from tests.fuzz.findings import Findings

OUT = Path("reports/out/fuzz")
OVER_SOCKETS = 0.02
"""Share of the frames; there each costs a hundred times as much."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and return the exit status."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    findings = Findings(options.out)
    if options.conversation is not None:
        campaign.again(options.seed, options.conversation, findings)
    else:
        console.print(f"{options.frames:,} frames, seed {options.seed}", highlight=False)
        console.print(*_run(options.frames, options.seed, findings, console))
    for finding in findings.kinds.values():
        console.print(f"[red]found[/] {finding.what}\n  {finding.where}", highlight=False, soft_wrap=True)
    console.print(f"bytes and traces: {findings.folder}" if findings else "nothing found", highlight=False)
    return 1 if findings else 0


def _run(frames: int, seed: int, findings: Findings, console: Console) -> list[Table]:
    over_sockets = max(int(frames * OVER_SOCKETS), 1)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        inside = progress.add_task("in process", total=frames - over_sockets)
        outside = progress.add_task("over sockets", total=over_sockets)
        near = campaign.run(
            frames - over_sockets, seed, findings, news=lambda each: progress.update(inside, completed=each.frames)
        )
        far = trio.run(
            _over_sockets, over_sockets, seed, findings, lambda count: progress.update(outside, completed=count)
        )
    table = Table("", "in process", "over sockets")
    rows = [
        ("frames", f"{near.frames:,}", f"{far.frames:,}"),
        ("conversations", f"{near.conversations:,}", f"{far.connections:,}"),
        ("frames/s", f"{near.rate:,.0f}", f"{far.frames / far.seconds if far.seconds else 0:,.0f}"),
        ("memory, MB: warm, end", _numbers(near.memory), _numbers(far.memory)),
        ("connections left at the end", "", str(far.left)),
        ("endings", ", ".join(f"{count:,} {ending}" for ending, count in near.endings.most_common()), ""),
    ]
    for row in rows:
        table.add_row(*row)
    return [table]


async def _over_sockets(frames: int, seed: int, findings: Findings, tell) -> sockets.Summary:
    return await sockets.run(frames, seed, findings, news=lambda each: tell(each.frames))


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in values)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="damaged frames, by the million")
    parser.add_argument("--frames", type=int, default=1_000_000, help="in all (1,000,000)")
    parser.add_argument("--seed", type=int, default=None, help="of all chance (another one each time)")
    parser.add_argument("--conversation", type=int, metavar="N", help="hold only this one again; needs its --seed")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where findings are written ({OUT})")
    options = parser.parse_args(arguments)
    if options.conversation is not None and options.seed is None:
        parser.error("--conversation: expected the --seed that it was held with")
    options.seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    return options


if __name__ == "__main__":
    sys.exit(main())
