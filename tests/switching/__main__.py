"""`python -m tests.switching`: switch beneath every client, show, write the page."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import trio
from rich.console import Console

from appliance.lab import LabError
from appliance.lab.ports import PortLeases
from tests.interrupting import end_on_sigterm
from tests.matrix.driver import CannotPrepareError, Driver
from tests.matrix.drivers.every import every_standing_client
from tests.matrix.page import revision, versions
from tests.matrix.running import ROOT
from tests.matrix.standing import modes_of
from tests.matrix.ways import NoWayError
from tests.switching.acts import ActName
from tests.switching.front import Remedies
from tests.switching.page import write
from tests.switching.play import Play, played
from tests.switching.reckoning import rows
from tests.switching.rows import Switched
from tests.switching.screen import Screen, table

KEPT = ROOT / "reports" / "out" / "switching" / "switched.json"
RUNS: Sequence[tuple[Remedies, Sequence[ActName]]] = (
    ("on", ("planned", "failback", "unplanned")),
    ("off", ("planned",)),
    ("off", ("unplanned",)),
    ("rebootstrap", ("planned",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; return 0 where everything held that must hold."""
    drivers = every_standing_client()
    options = _options(arguments, [driver.name for driver in drivers])
    console = Console(width=None if sys.stdout.isatty() else 160)
    end_on_sigterm()
    if options.page:
        console.print(f"written: {write(_kept()).relative_to(ROOT)}")
        return 0
    wanted = chosen(drivers, options.clients)
    try:
        found = trio.run(_run, options, wanted, Screen(console))
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if isinstance(error, KeyboardInterrupt) or error.subgroup(KeyboardInterrupt) is not None:
            console.print("interrupted; no page was written")
            return 130
        if (known := error.subgroup((NoWayError, LabError))) is None:
            raise
        console.print("[red]no matrix[/]: ", end="")
        console.print(_in_words(known), markup=False, highlight=False, soft_wrap=True)
        return 2
    console.print(table(found))
    if options.write and not options.clients and not options.remedies:
        console.print(f"written: {write(found).relative_to(ROOT)}")
    return 0 if found.passed else 1


def _options(arguments: Sequence[str] | None, names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.switching", description="switchovers beneath every client", epilog="; ".join(names)
    )
    parser.add_argument("--clients", type=_names(names), metavar="A,B", help="only these, by their names (all)")
    parser.add_argument("--remedies", choices=get_args(Remedies), help="only with the remedies so (all)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all processes there")
    parser.add_argument("--page", action="store_true", help="only write the page anew, of what the last run found")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/switchover.md as it is")
    return parser.parse_args(arguments)


def _names(known: Sequence[str]) -> type[list[str]]:
    def parse(text: str) -> list[str]:
        found = [each.strip() for each in text.split(",") if each.strip()]
        if unknown := set(found) - set(known):
            raise argparse.ArgumentTypeError(f"no client {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return found

    return parse  # type: ignore[return-value]


async def _run(options: argparse.Namespace, drivers: Sequence[Driver], screen: Screen) -> Switched:
    found = Switched(started=datetime.now(UTC), versions=versions({}), revision=revision())
    started = trio.current_time()
    with ExitStack() as stack:
        kept = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-switching-")))
        directory = kept / f"{found.started:%Y%m%dT%H%M%S}"
        ports = stack.enter_context(PortLeases())
        stack.enter_context(screen.showing())
        ready = [driver for driver in drivers if await _prepared(driver, found, screen)]
        for number, (company, (remedies, acts)) in enumerate(
            (company, run) for company in companies(ready) for run in RUNS
        ):
            if options.remedies in {None, remedies}:
                if not (shown := judged(company, remedies)):
                    continue
                play = Play(company, remedies, acts, screen.tell)
                try:
                    record = await played(play, directory / f"{number:02}-{remedies}", ports)
                except (LabError, NoWayError) as error:
                    found.spoiled.append(f"{company[0].language}, remedies {remedies}: {error}")
                    continue
                found.rows += [row for row in rows(record.accounts, record.acts, remedies) if row.client in shown]
                found.spoiled += record.spoiled
                found.stayed += [(remedies, client) for client in record.stayed]
                found.complaints += record.complaints
                found.rebootstraps += record.rebootstraps
                found.versions |= record.versions
                found.minutes = (trio.current_time() - started) / 60
                found.load, found.cores = max(found.load, os.getloadavg()[0]), os.cpu_count() or 0
                _keep(found)
                screen.rows(found.rows)
    return found


def chosen(drivers: Sequence[Driver], names: Sequence[str] | None) -> list[Driver]:
    """Return the clients of these names (None: all), and those whose topics they read."""
    if names is None:
        return list(drivers)
    read = {driver.reads_of for driver in drivers if driver.name in names}
    return [driver for driver in drivers if driver.name in {*names, *read}]


def companies(drivers: Iterable[Driver]) -> list[list[Driver]]:
    """Return clients by language: as many at a time as two cores carry."""
    by_language: dict[str, list[Driver]] = {}
    for driver in drivers:
        by_language.setdefault(driver.language, []).append(driver)
    return list(by_language.values())


def judged(company: Sequence[Driver], remedies: Remedies) -> set[str]:
    """Return the clients of a company of which there are rows: where clients are told to start over, those that do. The
    others play all the same, so that the machine has as much to do."""
    return {driver.name for driver in company if remedies != "rebootstrap" or driver.rebootstraps_as}


def not_asked(driver: Driver) -> dict[str, str]:
    """Return what a client is not switched beneath at, and why: it does not live through the death of a broker."""
    return {f"{driver.name}, {mode}": why for mode, why in driver.falls_as.items()}


async def _prepared(driver: Driver, found: Switched, screen: Screen) -> bool:
    missing = driver.needs() if modes_of(driver) else driver.why_not_standing
    if missing is not None:
        found.not_run[driver.name] = missing
        found.excused.append(driver.name)
        return False
    screen.tell(f"{driver.name}: installing")
    try:
        await trio.to_thread.run_sync(driver.prepare, lambda _: None)
    except CannotPrepareError as error:
        found.not_run[driver.name] = f"not installed: {error}"
        return False
    left_out = not_asked(driver)
    found.not_run |= left_out
    found.excused += left_out
    return True


def _in_words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_in_words, error.exceptions))
    return str(error)


def _keep(found: Switched) -> None:
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _kept() -> Switched:
    return Switched.model_validate_json(KEPT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
