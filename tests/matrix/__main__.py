"""`python -m tests.matrix`: run the clients, show, write the page."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import trio
from rich.console import Console

from appliance.lab import ClusterPlan, LabError, LabPlan, open_lab
from appliance.lab.ports import PortLeases
from tests.interrupting import end_on_sigterm
from tests.matrix.access import Access
from tests.matrix.driver import Check, Driver
from tests.matrix.drivers.every import every_client
from tests.matrix.drivers.java import lock_jars
from tests.matrix.matrix import Run
from tests.matrix.page import revision, versions, write
from tests.matrix.results import Listening, Matrix
from tests.matrix.running import ROOT
from tests.matrix.screen import Screen, table
from tests.matrix.truth import Truth
from tests.matrix.ways import NoWayError, Way, open_way

_PLAN = LabPlan((ClusterPlan("clients", brokers=3),))
OUT = ROOT / "reports" / "out" / "clients"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; return 0 where every client that was run passed."""
    drivers = every_client()
    options = _options(arguments, [driver.name for driver in drivers])
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.lock:
        lock_jars(lambda text: console.print(text, markup=False, highlight=False))
        return 0
    end_on_sigterm()
    wanted = [driver for driver in drivers if not options.only or driver.name in options.only]
    try:
        found = trio.run(_run, options, wanted, console)
    except (NoWayError, LabError) as error:
        console.print("[red]no matrix[/]: ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is None:
            raise
        console.print("interrupted; no page was written")
        return 130
    return 0 if all(matrix.passed for matrix in found) else 1


def _options(arguments: Sequence[str] | None, names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description="every client through the gateway")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument(
        "--check", action="append", type=Check, choices=list(Check), metavar="CHECK", help=" | ".join(Check)
    )
    parser.add_argument("--listener", action="append", choices=get_args(Listening), help="may be repeated (all)")
    parser.add_argument("--direct", action="store_true", help="around the gateway, to compare; writes no page")
    parser.add_argument("--jobs", type=int, default=2, help="clients at a time (2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the logs of all processes there")
    parser.add_argument("--lock", action="store_true", help="resolve the Java clients' jars anew and do nothing else")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/clients.md as it is")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace, drivers: Sequence[Driver], console: Console) -> list[Matrix]:
    screen = Screen(console)
    matrices = []
    async with AsyncExitStack() as stack:
        kept = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-clients-")))
        directory = kept / f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        ports = stack.enter_context(PortLeases())
        with screen.showing():
            for listener in options.listener or get_args(Listening):
                place = directory / listener
                async with open_lab(_PLAN, kind="apache", directory=place / "lab", progress=screen.tell) as lab:
                    matrix = Matrix(
                        listener=listener,
                        direct=options.direct,
                        started=datetime.now(UTC),
                        versions=versions(lab.versions),
                        revision=revision(),
                    )
                    opening = _open(options, listener, lab.clusters["clients"].bootstrap, ports, place)
                    await _fill(matrix, opening, options, drivers, screen, place)
                matrices.append(matrix)
                _keep(matrix)
    for matrix in matrices:
        console.print(table(matrix))
    if options.write and not (options.only or options.check or options.direct):
        console.print(f"written: {write(matrices).relative_to(ROOT)}")
    return matrices


def _open(
    options: argparse.Namespace, listener: Listening, brokers: Sequence[str], ports: PortLeases, directory: Path
) -> AbstractAsyncContextManager[Way]:
    if not options.direct:
        return open_way(listener, brokers, ports, directory)
    if listener != "plain":
        raise NoWayError("the lab's brokers have plain listeners only: say --direct --listener plain")
    return nullcontext(Way(Access(",".join(brokers)), ",".join(brokers)))


async def _fill(
    matrix: Matrix,
    opening: AbstractAsyncContextManager[Way],
    options: argparse.Namespace,
    drivers: Sequence[Driver],
    screen: Screen,
    directory: Path,
) -> None:
    """Run all clients before one listener; a listener that there is not is noted."""
    screen.tell(f"opening the way in, {matrix.listener}")
    started = trio.current_time()
    try:
        async with opening as way:
            run = Run(
                way=way,
                truth=Truth(way.brokers),
                directory=directory,
                tell=screen.client,
                jobs=options.jobs,
                only=options.check or tuple(Check),
            )
            screen.results = run.results
            matrix.clients = await run.every(drivers)
            matrix.complaints = way.complaints
    except NoWayError as error:
        matrix.not_run = str(error)
    matrix.minutes = (trio.current_time() - started) / 60


def _keep(matrix: Matrix) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    name = f"{matrix.listener}{'-direct' if matrix.direct else ''}.json"
    (OUT / name).write_text(matrix.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
