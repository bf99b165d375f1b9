"""`python -m tests.bench`: measure, show, write the page."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import trio
from rich.console import Console

from appliance.lab import ClusterPlan, JarsUnavailable, LabError, LabPlan, open_lab
from appliance.lab.ports import PortLeases
from tests.bench.figures import Phase, Results, Side
from tests.bench.measuring import Bench, Plan
from tests.bench.page import Machine, write
from tests.bench.profiling import Profiler
from tests.bench.screen import Screen, bars_table, figures_table
from tests.bench.sides import ROOT, BenchError, Way, open_gateway, open_relay


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status. A bar that is not met is no failure."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        if sys.platform != "linux":
            raise BenchError("the benchmark reads Linux's /proc and runs nowhere else")
        trio.run(_run, options, console)
    except (BenchError, LabError) as error:
        why = "no benchmark without Kafka's jars" if isinstance(error, JarsUnavailable) else "no benchmark"
        console.print(f"[red]{why}[/]: ", end="")
        lines = (line[:300] for line in str(error).splitlines())  # a log's last lines may hold anything
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; nothing was written")
        return 130
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="direct, bare relay and gateway side by side"
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="of all sides, interleaved (5)")
    parser.add_argument(
        "--megabytes", type=_positive, default=100, help="that each side writes and reads in a round (100)"
    )
    parser.add_argument("--trips", type=_positive, default=1000, help="round trips on each side in a round (1000)")
    parser.add_argument("--only", type=Phase, choices=list(Phase), metavar="|".join(Phase), help="one phase")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/performance.md as it is")
    parser.add_argument("--profile", action="store_true", help="watch relay and gateway by py-spy; writes no page")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


async def _run(options: argparse.Namespace, console: Console) -> None:
    phases = frozenset((options.only,) if options.only else Phase)
    plan = Plan(options.rounds, options.megabytes, options.trips, phases)
    profiler = Profiler(ROOT / "reports" / "out" / "bench-profiles") if options.profile else None
    screen = Screen(console)
    started = trio.current_time()
    with screen.showing():
        try:
            results, machine = await _measured(plan, screen, profiler)
        except (BenchError, LabError):
            if screen.results is not None:
                console.print(figures_table(screen.results))  # what was measured before it broke off
            raise
    console.print(figures_table(results), bars_table(results))
    if profiler is not None:
        _show_profiles(profiler, console)
    elif options.write and options.only is None:
        path = write(results, plan, machine, (trio.current_time() - started) / 60)
        console.print(f"written: {path.relative_to(ROOT)}")


async def _measured(plan: Plan, screen: Screen, profiler: Profiler | None) -> tuple[Results, Machine]:
    machine = Machine.here({})
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-bench-")))
        ports = stack.enter_context(PortLeases())
        lab_plan = LabPlan((ClusterPlan("bench", brokers=3),))
        lab = await stack.enter_async_context(
            open_lab(lab_plan, kind="apache", directory=directory / "lab", progress=screen.tell)
        )
        cluster = lab.clusters["bench"]
        ways = [Way(Side.DIRECT, ",".join(cluster.bootstrap))]
        for open_way in (open_relay, open_gateway):
            screen.tell(f"starting {open_way.__name__.removeprefix('open_')}")
            ways.append(await stack.enter_async_context(open_way(cluster.bootstrap, ports, directory)))
        bench = Bench(plan, cluster, ways, directory, tell=screen.tell, news=screen.news, profiler=profiler)
        screen.results = bench.results
        await bench.run()
        return bench.results, machine._replace(versions={**lab.versions, **machine.versions})


def _show_profiles(profiler: Profiler, console: Console) -> None:
    for side, phase, top in profiler.summaries():
        console.print(f"\n[bold]{side}, {phase}[/]: time of its own")
        for share, function in top:
            console.print(f"  {share:6.1%}  {function}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
