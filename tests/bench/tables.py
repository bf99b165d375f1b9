"""Everything that was measured, as words in rows: what the terminal and the page both show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.bench.bars import Bar
from tests.bench.figures import PEERS, Latency, Memory, Results, Side, Spread, Task, above, over_rounds
from tests.bench.plans import RATE, Plan

_Figure = Callable[[Side], Spread | None]


@dataclass
class Section:
    """Figures that belong together: (name, a cell for each of the results' sides)."""

    title: str
    rows: list[tuple[str, list[str]]] = field(default_factory=list)


def sections(results: Results, plan: Plan) -> Iterator[Section]:
    """Yield what there is, empty sections left out."""
    found = (
        _works("Small records", results, "", (Task.PRODUCE, Task.CONSUME)),
        _works(f"Small records, {plan.topics} topics", results, "", (Task.PRODUCE_TEN, Task.CONSUME_TEN)),
        _works("Records of 100 KB", results, "", (Task.PRODUCE_100K, Task.CONSUME_100K)),
        _works("Records of 1 MB", results, "", (Task.PRODUCE_1M, Task.CONSUME_1M)),
        _works("TLS between client and proxy", results, " without TLS", (Task.PRODUCE_TLS, Task.CONSUME_TLS)),
        _latencies(f"Latency at {RATE:,} records a second", results, results.paced, with_rate=False),
        _latencies("Latency with one record in flight", results, results.latency, with_rate=True),
        _storm(results, plan),
        _crowd(results, plan),
        _memory(results, plan),
    )
    yield from (section for section in found if section.rows)


def scaling_rows(results: Results) -> list[list[str]]:
    """Return, for each kind of work, what one worker takes, what the busier of two takes, and what two can do."""
    kinds = (
        ("CPU s per GB produced", results.bytes_scaling),
        ("CPU µs per request", results.requests_scaling),
    )
    return [
        [
            name,
            in_words(Spread.of(each.one for each in rounds), 2),
            in_words(Spread.of(each.two for each in rounds), 2),
            in_words(Spread.of(each.gain for each in rounds), 2),
        ]
        for name, rounds in kinds
        if rounds
    ]


def in_words(spread: Spread | None, digits: int) -> str:
    """Return `median (lowest to highest)`; the median alone where nothing differs."""
    if spread is None:
        return ""
    middle = f"{spread.median:.{digits}f}"
    if spread.low == spread.high:
        return middle
    return f"{middle} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def found(bar: Bar) -> str:
    """Return what was measured, in words."""
    return in_words(bar.figure, 0 if "MB" in bar.unit else 2) + bar.unit


def _section(title: str, results: Results, figures: Mapping[str, tuple[_Figure, int]]) -> Section:
    section = Section(title)
    for name, (figure, digits) in figures.items():
        cells = [in_words(figure(side), digits) for side in results.sides]
        if any(cells):
            section.rows.append((name, cells))
    return section


def _works(title: str, results: Results, base: str, tasks: tuple[Task, Task]) -> Section:
    figures: dict[str, tuple[_Figure, int]] = {}
    for task, what in zip(tasks, ("produce", "consume"), strict=True):

        def throughput(side: Side, task: Task = task) -> Spread | None:
            return results.throughput(task, side)

        def ratio(side: Side, task: Task = task) -> Spread | None:
            return None if side is Side.DIRECT else results.throughput_ratio(task, side)

        def cpu(side: Side, task: Task = task) -> Spread | None:
            return results.cpu_per_gigabyte(task, side)

        def cpu_ratio(side: Side, task: Task = task) -> Spread | None:
            return results.cpu_ratio(task, side) if side in (Side.RELAY, *PEERS) else None

        figures[f"{what}, MB/s"] = throughput, 1
        figures[f"{what}, of direct{base}"] = ratio, 2
        figures[f"{what}, CPU s/GB"] = cpu, 2
        figures[f"{what}, CPU: the gateway's of this side's"] = cpu_ratio, 2
    return _section(title, results, figures)


def _latencies(title: str, results: Results, rows: Mapping[Side, list[Latency]], *, with_rate: bool) -> Section:
    figures: dict[str, tuple[_Figure, int]] = {}
    for name in ("p50", "p99"):

        def itself(side: Side, name: str = name) -> Spread | None:
            return over_rounds(rows, side, lambda row: float(getattr(row, name)))

        def added(side: Side, name: str = name) -> Spread | None:
            return None if side is Side.DIRECT else above(rows, side, lambda row: float(getattr(row, name)))

        figures[f"{name}, ms"] = itself, 3
        figures[f"added {name}, ms"] = added, 3
    if with_rate:
        figures["records per second"] = (lambda side: over_rounds(rows, side, lambda row: row.rate)), 0
    return _section(title, results, figures)


def _storm(results: Results, plan: Plan) -> Section:
    title = f"{plan.storm_clients:,} clients reconnect and ask for {plan.storm_partitions:,} partitions"
    return _section(
        title,
        results,
        {
            "half are answered after, s": (lambda side: over_rounds(results.storm, side, lambda row: row.p50), 2),
            "99 % are answered after, s": (lambda side: over_rounds(results.storm, side, lambda row: row.p99), 2),
            "all are answered after, s": (lambda side: over_rounds(results.storm, side, lambda row: row.all), 2),
            "RSS then, MB": (
                lambda side: None if side is Side.DIRECT else over_rounds(results.storm, side, lambda row: row.memory),
                0,
            ),
        },
    )


def _crowd(results: Results, plan: Plan) -> Section:
    crowd = results.crowd
    return _section(
        f"{plan.crowd:,} connections that do little",
        results,
        {
            "idle: RSS, MB": (lambda side: over_rounds(crowd, side, lambda row: row.idle_memory), 0),
            "idle: CPU, % of a core": (lambda side: over_rounds(crowd, side, lambda row: row.idle_cpu), 1),
            "a record a second each: RSS, MB": (lambda side: over_rounds(crowd, side, lambda row: row.busy_memory), 0),
            "a record a second each: CPU, % of a core": (
                lambda side: over_rounds(crowd, side, lambda row: row.busy_cpu),
                1,
            ),
        },
    )


def _memory(results: Results, plan: Plan) -> Section:
    def of(figure: Callable[[Memory], float]) -> _Figure:
        return lambda side: Spread.of([figure(results.memory[side])] if side in results.memory else [])

    return _section(
        f"Memory after hard work on {plan.connections} connections",
        results,
        {
            "RSS before, MB": (of(lambda memory: memory.idle), 0),
            "RSS with the connections, MB": (of(lambda memory: memory.loaded), 0),
            "RSS at its peak, MB": (of(lambda memory: memory.peak), 0),
        },
    )
