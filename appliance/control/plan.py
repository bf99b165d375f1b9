"""What preflight found: what would move, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocks", "warns"]


@dataclass(frozen=True)
class Finding:
    """Something that an operator must know; `blocks`: the switchover does not take place."""

    severity: Severity
    subject: str
    """What it is about: `topic orders`, `group billing`, `cluster standby`."""
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}, found {self.found}; {self.remedy}"


@dataclass(frozen=True)
class PlannedGroup:
    """A group that reads from the source."""

    name: str
    type: str
    state: str
    clients: tuple[str, ...]
    """The client ids of its members, as far as the broker tells them."""
    partitions: int
    """That it has committed offsets for."""
    lag: int
    """Records behind its committed offsets."""


@dataclass(frozen=True)
class PlannedTransaction:
    """A transaction that was open on the source."""

    transactional_id: str
    state: str
    started: str | None
    partitions: int


@dataclass(frozen=True)
class PlannedPart:
    """A virtual cluster that moves."""

    virtual_cluster: str
    connections: int
    writes_in_flight: int


@dataclass(frozen=True)
class Plan:
    """What preflight found; with a finding that blocks the switchover does not take place."""

    source: str
    target: str
    topics: int
    partitions: int
    connections: int
    lag: int | None
    findings: tuple[Finding, ...] = ()
    parts: tuple[PlannedPart, ...] = ()
    groups: tuple[PlannedGroup, ...] = ()
    transactions: tuple[PlannedTransaction, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What forbids the switchover."""
        return _said("blocks", self.findings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before it is run."""
        return _said("warns", self.findings)


def _said(severity: Severity, findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(str(each) for each in findings if each.severity == severity)
