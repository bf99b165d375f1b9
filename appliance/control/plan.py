"""What preflight found: what would move, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.gateway.clientele import Clientele, ClientKind

_KINDS_SHOWN = 100
"""What a client says of itself is its own choice: a hostile one must not fill the plan."""
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
class PlannedClients:
    """Clients of one software and version."""

    software: str
    """As it says itself (`apache-kafka-java`); empty where it does not."""
    version: str
    connections: int
    timeout: float | None = None
    """The shortest time, in seconds, that they wait for the answer to a write; None: they have not written."""


@dataclass(frozen=True)
class PlannedPart:
    """A virtual cluster that moves."""

    virtual_cluster: str
    connections: int
    writes_in_flight: int
    clients: tuple[PlannedClients, ...] = ()
    """The most connections first."""


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
    hold: float | None = None
    """How long writes will be held at the most, in seconds; None: they are not (unplanned)."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What forbids the switchover."""
        return _said("blocks", self.findings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before it is run."""
        return _said("warns", self.findings)


def planned_clients(clients: Mapping[ClientKind, Clientele], virtual_cluster: str) -> tuple[PlannedClients, ...]:
    """Return whom a virtual cluster has."""
    found = [
        PlannedClients(kind.software, kind.version, its.connections, its.timeout)
        for kind, its in clients.items()
        if kind.virtual_cluster == virtual_cluster
    ]
    return tuple(sorted(found, key=lambda each: (-each.connections, each.software, each.version)))[:_KINDS_SHOWN]


def _said(severity: Severity, findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(str(each) for each in findings if each.severity == severity)
