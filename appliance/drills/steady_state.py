"""The steady state, measured on what the clients did in a stretch of time: gate before the steps, check after them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from appliance.drills.ledger import Write
from appliance.drills.scenario.judging import LatencyProbe, RateProbe, RatioProbe, SteadyState
from appliance.drills.scenario.traffic import Client
from appliance.drills.traffic.logbook import Logbook

Measure = Callable[["Stretch", str], float | None]


@dataclass(frozen=True)
class Stretch:
    """What the clients did between two moments."""

    logbook: Logbook
    start: float
    end: float

    def writes(self, client: str) -> list[Write]:
        """Return the records whose fate was known in this stretch."""
        rows = self.logbook.writes_since(self.start)
        return [each for each in rows if each.client == client and each.done is not None and each.done <= self.end]

    def delivered(self, client: str) -> int:
        """Return how many records a consumer got in this stretch."""
        rows = self.logbook.deliveries_since(self.start)
        return sum(each.client == client and each.at <= self.end for each in rows)


@dataclass(frozen=True)
class Finding:
    """What a probe measured, and whether its bound holds."""

    measured: str
    ok: bool


def probe(check: SteadyState, stretch: Stretch, running: Iterable[Client]) -> Finding:
    """Measure a probe on the running clients that it concerns; the worst of them decides. No samples is not a pass."""
    measure, consumers = _MEASURES[check.probe]
    concerned = [
        each.name
        for each in running
        if fnmatchcase(each.name, check.client)
        and (each.consume is not None) == consumers
        and not (each.produce is not None and each.produce.idle)
    ]
    if not concerned:
        return Finding("no client to measure", ok=False)
    found = [(name, measure(stretch, name)) for name in concerned]
    silent = [name for name, value in found if value is None]
    if silent:
        return Finding(f"nothing to measure on {', '.join(silent)}", ok=False)
    worst = _worst(check, [value for _, value in found if value is not None])
    return Finding(check.text(worst), check.met(worst))


def _worst(check: RateProbe | RatioProbe | LatencyProbe, values: list[float]) -> float:
    """Return the value that is nearest to breaking the bound, or breaks it most."""
    return min(values) if check.ge is not None else max(values)


def _produce_rate(stretch: Stretch, client: str) -> float:
    acknowledged = sum(each.outcome == "acknowledged" for each in stretch.writes(client))
    return acknowledged / (stretch.end - stretch.start)


def _deliver_rate(stretch: Stretch, client: str) -> float:
    return stretch.delivered(client) / (stretch.end - stretch.start)


def _error_ratio(stretch: Stretch, client: str) -> float | None:
    writes = stretch.writes(client)
    return sum(each.outcome != "acknowledged" for each in writes) / len(writes) if writes else None


def _latency_p99(stretch: Stretch, client: str) -> float | None:
    """Nearest rank: the smallest latency that at least 99 % of the records kept."""
    latencies = sorted(
        each.done - each.sent
        for each in stretch.writes(client)
        if each.outcome == "acknowledged" and each.done is not None
    )
    return latencies[math.ceil(0.99 * len(latencies)) - 1] if latencies else None


_MEASURES: dict[str, tuple[Measure, bool]] = {
    "produce.rate": (_produce_rate, False),
    "produce.error_ratio": (_error_ratio, False),
    "produce.latency_p99": (_latency_p99, False),
    "deliver.rate": (_deliver_rate, True),
}
"""Probe -> how it is measured on one client, and whether on consumers."""
