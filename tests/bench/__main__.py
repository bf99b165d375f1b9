"""`python -m tests.bench`: measure, show, write the page."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import trio
from rich.console import Console

from appliance.lab import Cluster, ClusterPlan, JarsUnavailable, LabError, LabPlan, open_lab
from appliance.lab.ports import PortLeases
from tests.bench.bars import bars
from tests.bench.certificates import make_certificates
from tests.bench.clients import Clients
from tests.bench.figures import Phase, Results, Side
from tests.bench.measuring import Bench, Ways
from tests.bench.page import PAGE, Machine, text
from tests.bench.peers import Peer, parse_peer
from tests.bench.plans import Plan
from tests.bench.profiling import Profiler
from tests.bench.screen import Screen, bars_table, figures_table, scaling_table
from tests.bench.sides import ROOT, BenchError, Way, open_gateway, open_relay
from tests.interrupting import end_on_sigterm


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status. A bar that is not met is no failure."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 180)
    end_on_sigterm()
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
        prog="python -m tests.bench", description="direct, bare relay, gateway and peers side by side"
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="of all sides, interleaved (5)")
    parser.add_argument(
        "--megabytes",
        type=_positive,
        default=240,
        help="of small records that a side writes in a round, twice those of others (240)",
    )
    parser.add_argument("--trips", type=_positive, default=1000, help="round trips on each side in a round (1000)")
    parser.add_argument(
        "--only", type=Phase, nargs="+", choices=list(Phase), metavar="PHASE", help=f"of {', '.join(Phase)}"
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a proxy that you have: kafka-proxy=BINARY or kroxylicious=FOLDER (of its jars); may be repeated",
    )
    parser.add_argument("--quick", action="store_true", help="one small round: whether it runs; writes no page")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="where to write (docs/performance.md)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="show the figures only")
    parser.add_argument("--profile", action="store_true", help="watch relay and gateway by py-spy; writes no page")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


async def _run(options: argparse.Namespace, console: Console) -> None:
    peers = [parse_peer(text) for text in options.peer]
    if len({peer.side for peer in peers}) < len(peers):
        raise BenchError("expected each peer once")
    plan = Plan(options.rounds, options.megabytes, options.trips, frozenset(options.only or Phase))
    plan = plan.quick() if options.quick else plan
    profiler = Profiler(ROOT / "reports" / "out" / "bench-profiles") if options.profile else None
    screen = Screen(console, plan)
    started = trio.current_time()
    with screen.showing():
        try:
            results, machine, ways = await _measured(plan, peers, screen, profiler)
        except (BenchError, LabError):
            if screen.results is not None:
                console.print(figures_table(screen.results, plan))  # what was measured before it broke off
            raise
    if results.sides:
        console.print(figures_table(results, plan))
    if results.bytes_scaling:
        console.print(scaling_table(results))
    if bars(results):
        console.print(bars_table(results))
    for note in results.notes:
        console.print(f"not measured: {note}", highlight=False, markup=False)
    if profiler is not None:
        _show_profiles(profiler, console)
    elif options.write and options.only is None and not options.quick:
        minutes = (trio.current_time() - started) / 60
        options.page.write_text(text(results, plan, machine, ways, minutes, datetime.now(UTC)), encoding="utf-8")
        console.print(f"written: {options.page}", highlight=False)


async def _measured(
    plan: Plan, peers: Sequence[Peer], screen: Screen, profiler: Profiler | None
) -> tuple[Results, Machine, Sequence[Way]]:
    machine = Machine.here({})
    _allow_many_connections()
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-bench-")))
        ports = stack.enter_context(PortLeases())
        lab_plan = LabPlan((ClusterPlan("bench", brokers=3),))
        lab = await stack.enter_async_context(
            open_lab(lab_plan, kind="apache", directory=directory / "lab", progress=screen.tell)
        )
        cluster = lab.clusters["bench"]
        ways = await _open_ways(plan, peers, cluster, ports, directory, stack, screen)
        bench = Bench(plan, cluster, ways, Clients(directory), screen.tell, screen.news, profiler, Results())
        screen.results = bench.results
        await bench.run()
        return bench.results, machine._replace(versions={**lab.versions, **machine.versions}), ways.plain


async def _open_ways(
    plan: Plan,
    peers: Sequence[Peer],
    cluster: Cluster,
    ports: PortLeases,
    directory: Path,
    stack: AsyncExitStack,
    screen: Screen,
) -> Ways:
    """Start everything that is to be measured."""
    brokers = {node_id: broker.address for node_id, broker in cluster.brokers.items()}
    addresses = list(brokers.values())

    async def opened(what: str, way: AbstractAsyncContextManager[Way]) -> Way:
        screen.tell(f"starting {what}")
        return await stack.enter_async_context(way)

    direct = Way(Side.DIRECT, ",".join(addresses))
    plain = [direct]
    if plan.phases - {Phase.TLS, Phase.WORKERS}:
        plain.append(await opened("bare relay", open_relay(addresses, ports, directory)))
        plain.append(await opened("gateway", open_gateway(addresses, ports, directory)))
        plain += [await opened(peer.side, peer.open(brokers, ports, directory)) for peer in peers]
    tls, workers = [], []
    if Phase.TLS in plan.phases:
        made = make_certificates(directory / "certificates")
        gateway = open_gateway(addresses, ports, directory, certificates=made)
        tls = [direct, await opened("gateway with TLS", gateway)]
        tls += [await opened(f"{peer.side} with TLS", peer.open(brokers, ports, directory, made)) for peer in peers]
    if Phase.WORKERS in plan.phases:
        for count in (1, 2):
            gateway = open_gateway(addresses, ports, directory, workers=count)
            workers.append(await opened(f"gateway with --workers {count}", gateway))
    return Ways(plain, tls, workers)


def _allow_many_connections() -> None:
    """Let this process' children have as many files open as the machine allows: a proxy has two for a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _show_profiles(profiler: Profiler, console: Console) -> None:
    for side, work, top in profiler.summaries():
        console.print(f"\n[bold]{side}, {work}[/]: time of its own")
        for share, function in top:
            console.print(f"  {share:6.1%}  {function}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
