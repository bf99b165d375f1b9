"""What has been measured, at one moment: values that travel between processes and add up. Pure.

A series is labels and value, over and over; what the labels say is fixed by the field. Whatever can be measured in
several processes is a sum, of counters as of gauges.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

Labels = tuple[str, ...]
Series = tuple[tuple[Labels, int], ...]


@dataclass(frozen=True)
class Latency:
    """Times, counted in buckets: one more than there are bounds (`meters.BOUNDS`)."""

    buckets: tuple[int, ...]
    seconds: float
    """Their sum."""

    def __add__(self, other: Latency) -> Latency:
        return Latency(
            tuple(one + another for one, another in zip(self.buckets, other.buckets, strict=True)),
            self.seconds + other.seconds,
        )


Latencies = tuple[tuple[Labels, Latency], ...]


@dataclass(frozen=True)
class Measures:
    """Of one process, or of several together."""

    requests: Series = ()
    """Virtual cluster, API; so for all down to the times."""
    responses: Series = ()
    bytes_in: Series = ()
    """Of requests, as they came."""
    bytes_out: Series = ()
    """Of answers, as the broker gave them, or as they were made here."""
    gateway_times: Latencies = ()
    upstream_times: Latencies = ()
    errors: Series = ()
    """Virtual cluster, API, name of the error code."""
    accepted: Series = ()
    """Connections. Listener, virtual cluster."""
    refused: Series = ()
    """Connections. Listener, virtual cluster, reason."""
    authentications: Series = ()
    """Listener, mechanism, result."""
    open: Series = ()
    """Connections now. Listener, virtual cluster."""
    in_flight: Series = ()
    """Requests without an answer now. Virtual cluster."""
    buffered: Series = ()
    """Bytes held now for messages that are needed whole. Listener."""

    def without_gauges(self) -> Measures:
        """Return what stays true when the process is gone."""
        return replace(self, open=(), in_flight=(), buffered=())


def merged(several: Iterable[Measures]) -> Measures:
    """Return the measures of several processes as those of one."""
    all_of_them = list(several)
    sums = {
        field.name: _sum(sample for each in all_of_them for sample in getattr(each, field.name))
        for field in fields(Measures)
    }
    return Measures(**sums)


def _sum(samples: Iterable[tuple[Labels, Any]]) -> tuple[tuple[Labels, Any], ...]:
    found: dict[Labels, Any] = {}
    for labels, value in samples:
        found[labels] = found[labels] + value if labels in found else value
    return tuple(found.items())
