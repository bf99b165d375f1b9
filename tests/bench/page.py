"""`docs/performance.md`, written by the run itself: machine, method, figures, and what they are worth."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import confluent_kafka

from tests.bench.bars import bars
from tests.bench.figures import PEERS, Results, Side, Spread, Task
from tests.bench.load import TURN, WARMING
from tests.bench.measuring import PEERS_WARM_UP
from tests.bench.missed import missed_bars
from tests.bench.plans import PARTITIONS, PING_BYTES, RATE, RECORD_BYTES, Plan
from tests.bench.sides import ROOT, Way
from tests.bench.summary import summary
from tests.bench.tables import found, in_words, scaling_rows, sections

PAGE = ROOT / "docs" / "performance.md"


class Machine(NamedTuple):
    """Where and with what it ran."""

    processor: str
    cores: int
    memory: float
    """GB of 2**30 bytes."""
    kernel: str
    load: float
    """Load average of the minute before: what others did."""
    versions: Mapping[str, str]
    revision: str

    @classmethod
    def here(cls, lab: Mapping[str, str]) -> Machine:
        """Look around; `lab` has the versions of the brokers."""
        return cls(
            _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
            len(os.sched_getaffinity(0)),
            int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 2**20,
            platform.release(),
            os.getloadavg()[0],
            {
                **lab,
                "python": platform.python_version(),
                "trio": version("trio"),
                "librdkafka": confluent_kafka.libversion()[0],
            },
            _revision(),
        )


def text(results: Results, plan: Plan, machine: Machine, ways: Sequence[Way], minutes: float, when: datetime) -> str:
    """Return the page."""
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return f"""# Performance

<!-- Written by `make bench`; do not edit. -->

What Tidegate costs: the same work by the same clients, directly, through the gateway, {_yardsticks(ways)}

{_lines(f"- {sentence}" for sentence in summary(results, plan))}

Measured on {when:%Y-%m-%d}, revision {machine.revision}, in {minutes:.0f} minutes, on a machine that clients, brokers
and all proxies share; [Noise](#noise) says what that is worth.

## Bars

What we want of the gateway. The median decides; a bar that is missed stays here until it is met.

{_table(["gateway", "wanted", "found: median (lowest to highest)", ""], _bars(results))}
{_notes(results)}
{missed_bars(bars(results))}
## Figures

Median of {plan.rounds} rounds, in brackets the lowest and the highest. MB and GB are 10⁶ and 10⁹ bytes of record
values; RSS is in MB of 2²⁰ bytes. Ratios, and what is added, are taken within a round, so their median need not be the
quotient of the medians.

{_figures(results, plan)}
## Machine

{machine.cores} cores of {machine.processor}, {machine.memory:.0f} GB, Linux {machine.kernel};
{versions}.
Clients, brokers and proxies share these cores: CPU time that one of them takes, the others lack. On machines of
their own, throughput ratios would be nearer to 1.

## Method

- Three Apache Kafka brokers (KRaft, small heaps, as `appliance.lab` starts them), topics of {PARTITIONS} partitions,
  replication factor 3, `min.insync.replicas=2`. All traffic over the loopback, without TLS where nothing else is said.
- Sides take turns within a round, one at a time; each round begins with another one. Before the first round each side
  is warmed up by itself, a peer with the work of {PEERS_WARM_UP} turns, so that a JVM has compiled what it will run.
- The clients are librdkafka (confluent-kafka), a fresh process for each measurement with a client for each side of it;
  where the number of connections matters they are bare sockets.
- The gateway is one process, `tidegate serve --to BROKERS --listen ADDRESS`, without policies or faults of the user's.
{_lines(f"- {way.side} {way.version}: `{_command(way)}`." for way in ways if way.side in PEERS)}
- **Produce**: {plan.megabytes} MB a side and round of {RECORD_BYTES}-byte records, half as much where they have
  {plan.topics} topics, 100,000 or 1,000,000 bytes, or TLS; idempotent, `acks=all`, `linger.ms=1`, `batch.size=131072`,
  no compression. Sides take turns of {plan.megabytes / plan.turns:g} MB, so that whatever disturbs disturbs all; each
  turn begins with another one. All are connected before, and have had a turn that is not counted. The clock of a turn
  runs until all is acknowledged; a side's time, CPU time and bytes in a round are the sums over its turns.
  **Consume**: all that was written, from the start, {plan.passes} times, each a turn; until the last record.
  Each side of each round has topics of its own, which are deleted behind it.
- **TLS** is between client and proxy, to the brokers it is plain; direct is without TLS.
- **Fixed rate**: {RATE:,} records of {RECORD_BYTES} bytes a second with the settings of produce, for
  {plan.paced_turns * plan.turn_seconds:g} s a side and round, in turns of {plan.turn_seconds:g} s; from the moment at
  which a record was due to its delivery report. The first fifth of each turn is not counted.
- **One in flight**: {plan.trips} records of {PING_BYTES} bytes a side and round, `linger.ms=0`, `acks=all`, one
  partition without followers (their fetches would be most of what is measured), from `produce` to the delivery report.
  Sides take turns of {TURN} records; the first {WARMING} of a turn are not counted. Added is minus direct of the round.
- **Reconnecting**: {plan.storm_clients:,} connections over all brokers are closed, then all come back at the same
  moment; each asks ApiVersions and Metadata of a topic of {plan.storm_partitions:,} partitions. After all the others,
  for what a storm leaves in memory would count for them.
- **CPU** is the CPU time, all threads, of the proxy's processes during the measurement (the scheduler's count, of which
  `/proc/PID/stat` is the rounded form).
- **Connections**: {plan.crowd:,} over all brokers, {plan.crowd_seconds:g} s idle, then {plan.crowd_seconds:g} s with
  one Produce of one {RECORD_BYTES}-byte record a second on each. RSS is `VmRSS` at the end of each.
  **After hard work**: {plan.connections} connections, each of which has done ten Produce requests of 60 KiB, all at
  once; once a run. The peak is `VmHWM`, of the whole run.
- **Workers**: {plan.hammers} connections produce without a pause, batches of 60 KiB and then single records. The
  busiest worker's CPU time for each GB or request is what limits a machine whose cores are the gateway's own; the
  second worker's worth is the quotient.

## Noise

{_noise(results, machine)}

## Repeat it

    make bench                                               # writes this page
    make bench PEERS="kafka-proxy=/path/to/binary kroxylicious=/path/to/folder"
    .venv/bin/python -m tests.bench --only produce consume --rounds 3 --megabytes 100 --no-write
    .venv/bin/python -m tests.bench --profile                # with py-spy on the PATH: where the time goes

Only Linux has the counters that it reads. Nothing here is asserted by a test: a busy machine fails no build.
"""


def _yardsticks(ways: Sequence[Way]) -> str:
    peers = [f"{way.side} {way.version}".strip() for way in ways if way.side in PEERS]
    relay = (
        "through a bare relay of some 100 lines of trio\nthat does nothing but relay (`tests/bench/bare_relay.py`): "
        "what a Kafka proxy in Python pays at least"
    )
    if peers:
        return f"{relay};\nand through {' and '.join(peers)}."
    return (
        f"and {relay}.\n**Only these were compared**: no other proxy was given to this run "
        "([how to give one](#repeat-it))."
    )


def _command(way: Way) -> str:
    """Return how a peer was started, without the paths of this machine."""
    words = [Path(word).name if word.startswith("/") else word for word in way.started.split(" ")]
    return " ".join(words)


def _figures(results: Results, plan: Plan) -> str:
    parts = [
        f"### {section.title}\n\n"
        + _table(["", *results.sides], [[name, *cells] for name, cells in section.rows])
        + "\n"
        for section in sections(results, plan)
    ]
    if scaling := scaling_rows(results):
        head = ["the busiest worker's", "one worker", "two workers", "what two can do, of one"]
        parts.append(f"### Workers\n\n{_table(head, scaling)}\n")
    return "\n".join(parts)


def _notes(results: Results) -> str:
    return "".join(f"\n- Not measured: {note}." for note in results.notes) + ("\n" if results.notes else "")


def _bars(results: Results) -> list[list[str]]:
    return [[bar.name, bar.wanted, found(bar), "met" if bar.met else "**not met**"] for bar in bars(results)]


def _noise(results: Results, machine: Machine) -> str:
    lines = [
        f"The load average of the minute before the run was {machine.load:.2f} on {machine.cores} cores; "
        "what others did on the machine meanwhile is not known."
    ]
    for task in (Task.PRODUCE, Task.CONSUME):
        direct = results.throughput(task, Side.DIRECT)
        if direct is not None:
            lines.append(
                f"Direct {task} alone, the same work each time, went at {in_words(direct, 1)} MB/s: "
                f"a spread of {_width(direct)}."
            )
    lines.append(
        "A difference between two sides that is smaller than the spread of its ratio over the rounds is none. "
        "Latency at p99 is mostly the brokers' and the scheduler's. CPU time is the steadiest figure here: it does not "
        "grow because others are busy, but for cold caches."
    )
    return "\n".join(lines)


def _width(spread: Spread) -> str:
    return f"{(spread.high - spread.low) / spread.median:.0%} of the median"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _field(path: str, name: str) -> str | None:
    try:
        for line in Path(path).read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    except OSError:
        pass
    return None


def _revision() -> str:
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
