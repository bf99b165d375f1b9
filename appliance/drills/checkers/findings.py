"""What a checker says: how many records, of which client, in which partition, and some of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

SAMPLES = 20
"""Ids kept per client and partition: enough to look for, few enough to read."""


class Place(NamedTuple):
    """One client's view of one partition."""

    client: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.client} in {self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Records of one place; `samples` are the first of them, each with what is wrong: `lost canary/3/117`."""

    place: Place
    count: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one checker found, sorted by place; empty where there is nothing to say."""

    rows: tuple[Finding, ...] = ()

    @property
    def count(self) -> int:
        """Return the records over all places."""
        return sum(row.count for row in self.rows)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.rows)


class Tally:
    """Counts while a checker runs; `findings` freezes it."""

    def __init__(self) -> None:
        self._counts: dict[Place, int] = {}
        self._samples: dict[Place, list[str]] = {}

    def add(self, place: Place, what: str, record: str, count: int = 1) -> None:
        """Count records at a place; `what` and the record's id make the sample."""
        self._counts[place] = self._counts.get(place, 0) + count
        samples = self._samples.setdefault(place, [])
        if len(samples) < SAMPLES:
            samples.append(f"{what} {record}")

    def findings(self) -> Findings:
        """Return what was counted."""
        return Findings(
            tuple(Finding(place, self._counts[place], tuple(self._samples[place])) for place in sorted(self._counts))
        )
