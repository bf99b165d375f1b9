"""The page's first paragraph: what the gateway costs, in sentences, for somebody who has to decide."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.bars import bars
from tests.bench.figures import PEERS, Results, Side, Task, above, over_rounds
from tests.bench.plans import RATE, Plan

_GATEWAY = Side.GATEWAY


def summary(results: Results, plan: Plan) -> Iterator[str]:
    """Yield a sentence for each thing that was measured."""
    yield from _throughput(results)
    yield from _cpu(results)
    yield from _latency(results)
    yield from _memory(results, plan)
    yield from _storm(results, plan)
    if judged := bars(results):
        met = sum(bar.met for bar in judged)
        yield f"**Bars**: {met} of {len(judged)} are met; what is not is shown as such below."


def _throughput(results: Results) -> Iterator[str]:
    ratios = [
        f"{name} {ratio.median:.2f}"
        for name, task in (("produce", Task.PRODUCE), ("consume", Task.CONSUME))
        if (ratio := results.throughput_ratio(task, _GATEWAY)) is not None
    ]
    if not ratios:
        return
    others = []
    for peer in PEERS:
        both = [results.throughput_ratio(task, peer) for task in (Task.PRODUCE, Task.CONSUME)]
        found = [f"{each.median:.2f}" for each in both if each is not None]
        if found:
            others.append(f"{peer} {' and '.join(found)}")
    compared = f" ({'; '.join(others)})" if others else ""
    yield f"**Throughput**, of what the same clients reach directly: {', '.join(ratios)}{compared}."


def _cpu(results: Results) -> Iterator[str]:
    for task, what in ((Task.PRODUCE, "written"), (Task.CONSUME, "read")):
        cost = results.cpu_per_gigabyte(task, _GATEWAY)
        if cost is None:
            continue
        others = [f"{peer} {found.median:.1f} s" for peer in PEERS if (found := results.cpu_per_gigabyte(task, peer))]
        compared = f" ({', '.join(others)})" if others else ""
        yield (
            f"**CPU**: {cost.median:.1f} s for each GB {what}{compared}; a core of this kind that does nothing else "
            f"carries about {1000 / cost.median:,.0f} MB/s."
        )


def _latency(results: Results) -> Iterator[str]:
    p50, p99 = (above(results.paced, _GATEWAY, figure) for figure in (lambda row: row.p50, lambda row: row.p99))
    if p50 is not None and p99 is not None:
        yield (
            f"**Latency** at {RATE:,} records a second: {p50.median:+.2f} ms at the median, "
            f"{p99.median:+.2f} ms at p99."
        )


def _memory(results: Results, plan: Plan) -> Iterator[str]:
    memory = over_rounds(results.crowd, _GATEWAY, lambda row: row.busy_memory)
    cpu = over_rounds(results.crowd, _GATEWAY, lambda row: row.busy_cpu)
    if memory is not None and cpu is not None:
        yield (
            f"**Connections**: {plan.crowd:,} of them, a record a second on each, take {memory.median:.0f} MB and "
            f"{cpu.median:.0f} % of a core."
        )


def _storm(results: Results, plan: Plan) -> Iterator[str]:
    own, direct = (over_rounds(results.storm, side, lambda row: row.p99) for side in (_GATEWAY, Side.DIRECT))
    if own is not None and direct is not None:
        yield (
            f"**After a failover**: of {plan.storm_clients:,} clients that come back at once and ask for "
            f"{plan.storm_partitions:,} partitions, 99 % know where to go after {own.median:.1f} s "
            f"(directly {direct.median:.1f} s)."
        )
