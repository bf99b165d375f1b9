"""`docs/performance.md`, written by the run itself: machine, method, figures, and what they are worth."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import confluent_kafka

from tests.bench.figures import Phase, Results, Side, Spread, bars
from tests.bench.load import TURN, WARMING
from tests.bench.measuring import CONNECTIONS, PARTITIONS, PING_BYTES, RECORD_BYTES, Plan
from tests.bench.screen import found, in_words, rows
from tests.bench.sides import ROOT

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


def write(results: Results, plan: Plan, machine: Machine, minutes: float) -> Path:
    """Write the page; return where."""
    PAGE.write_text(text(results, plan, machine, minutes, datetime.now(UTC)), encoding="utf-8")
    return PAGE


def text(results: Results, plan: Plan, machine: Machine, minutes: float, when: datetime) -> str:
    """Return the page."""
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return f"""# Performance

<!-- Written by `make bench`; do not edit. -->

What Tidegate costs, against the same clients connected directly and through a bare relay of some 100 lines of trio that
does nothing but relay (`tests/bench/bare_relay.py`): the relay is what a Kafka proxy in Python pays at least, the
difference to it is what the gateway adds.

Measured on {when:%Y-%m-%d}, revision {machine.revision}, in {minutes:.0f} minutes, by
`.venv/bin/python -m tests.bench --rounds {plan.rounds} --megabytes {plan.megabytes} --trips {plan.trips}`.

## Bars

{_table(["gateway", "wanted", "found: median (lowest to highest)", ""], _bars(results))}

## Figures

Median of {plan.rounds} rounds, in brackets the lowest and the highest.

{_table(["", *Side], [[name, *cells] for name, cells in rows(results)])}

MB and GB are 10⁶ and 10⁹ bytes of record values; RSS is in MB of 2²⁰ bytes. Ratios, and what is added, are taken within
a round, so their median need not be the quotient of the medians.

## Machine

{machine.cores} cores of {machine.processor}, {machine.memory:.0f} GB, Linux {machine.kernel};
{versions}.
Clients, brokers, relay and gateway share these cores: CPU time that one of them takes, the others lack. On machines of
their own, throughput ratios would be nearer to 1.

## Method

- Three Apache Kafka brokers (KRaft, small heaps, as `appliance.lab` starts them), topics of {PARTITIONS} partitions,
  replication factor 3, `min.insync.replicas=2`. All traffic over the loopback, without TLS.
- The gateway is one process, `tidegate serve --to BROKERS --listen ADDRESS`, without policies or faults of the user's.
- The clients are librdkafka (confluent-kafka), a fresh process for each measurement.
- **Produce**: {plan.megabytes} MB of {RECORD_BYTES}-byte records, idempotent, `acks=all`, `linger.ms=1`,
  `batch.size=131072`, no compression; the clock runs from connected to all acknowledged. **Consume**: the same records
  from the start; from connected to the last record. Each side of each round has a topic of its own, which is deleted
  behind it.
- Sides take turns within a round, each round begins with another one; one smaller round before the first warms all up.
- **Round trip**: {plan.trips} records of {PING_BYTES} bytes a side and round, one in flight, `linger.ms=0`, `acks=all`,
  one partition without followers (their fetches would be most of what is measured), from `produce` to the delivery
  report. The sides take turns of {TURN} records; the first {WARMING} of a turn are not counted. Added is minus direct
  of the same round.
- **CPU** is the CPU time, all threads, of the relay's or gateway's process during the measurement (the scheduler's
  count, of which `/proc/PID/stat` is the rounded form).
- **RSS**: `VmRSS` after all of the above, with {CONNECTIONS} connections open, each of which has done ApiVersions,
  Metadata and ten Produce requests of 60 KiB, all connections at once. The peak is `VmHWM`, of the whole run.

## Noise

{_noise(results, machine)}

## Repeat it

    make bench                                               # writes this page
    .venv/bin/python -m tests.bench --only produce --rounds 3 --megabytes 100 --no-write
    .venv/bin/python -m tests.bench --profile                # with py-spy on the PATH: where the time goes

Only Linux has the counters that it reads. Nothing here is asserted by a test: a busy machine fails no build.
"""


def _bars(results: Results) -> list[list[str]]:
    return [[bar.name, bar.wanted, found(bar), "met" if bar.met else "**not met**"] for bar in bars(results)]


def _noise(results: Results, machine: Machine) -> str:
    lines = [
        f"The load average of the minute before the run was {machine.load:.2f} on {machine.cores} cores; "
        "what others did on the machine meanwhile is not known."
    ]
    for phase in (Phase.PRODUCE, Phase.CONSUME):
        direct = results.throughput(phase, Side.DIRECT)
        if direct is not None:
            lines.append(
                f"Direct {phase} alone, the same work each time, went at {in_words(direct, 1)} MB/s: "
                f"a spread of {_width(direct)}."
            )
    lines.append(
        "A difference between two sides that is smaller than the spread of its ratio over the rounds is none. "
        "Latency at p99 with one record in flight is mostly the brokers' and the scheduler's."
    )
    return "\n".join(lines)


def _width(spread: Spread) -> str:
    return f"{(spread.high - spread.low) / spread.median:.0%} of the median"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
