"""What Linux says of a process: CPU time, memory, children."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

_SCHEDULED = 2
"""CPUCLOCK_SCHED: the nanoseconds that the scheduler counted."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, all threads, ended ones too. Raises OSError for one that is gone.

    This is glibc's `clock_getcpuclockid`; utime and stime in /proc/PID/stat are the same count, rounded to 10 ms.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


class Resident(NamedTuple):
    """MB of 2**20 bytes."""

    now: float
    peak: float


def resident(pids: list[int]) -> Resident:
    """Return the resident memory of these processes together, now and at its highest."""
    now = peak = 0
    for pid in pids:
        lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        fields = {words[0]: words[1] for words in lines if len(words) > 1}
        now += int(fields["VmRSS:"])
        peak += int(fields["VmHWM:"])
    return Resident(now / 1024, peak / 1024)
