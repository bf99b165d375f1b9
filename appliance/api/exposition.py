"""From live state to Prometheus' families. Nothing is kept between two scrapes."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import get_args

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from appliance import __version__
from appliance.api import metric_definitions as metrics
from appliance.api.metric_definitions import MEASURED, Metric
from appliance.control.datapath import DataPath, WorkerFacts
from appliance.control.faults import LiveFault
from appliance.control.plane import ControlPlane
from appliance.control.switchover import State
from appliance.exchange.measures import Labels, Latencies, Measures
from appliance.exchange.meters import BOUNDS

Samples = Iterable[tuple[Labels, float]]


class Exposition(Collector):
    """What is so at the moment at which it is made; hand it to one of prometheus_client's encoders."""

    def __init__(self, plane: ControlPlane, data_path: DataPath, measures: Measures) -> None:
        self._plane = plane
        self._data_path = data_path
        self._measures = measures

    def collect(self) -> Iterator[Family]:
        """See Collector."""
        yield _family(metrics.BUILD, [((__version__, platform.python_version()), 1)])
        resting = self._resting()
        for name, metric in MEASURED.items():
            samples = getattr(self._measures, name)
            if name in resting:
                samples = {**resting[name], **dict(samples)}.items()
            yield _histogram(metric, samples) if metric.kind == "histogram" else _family(metric, samples)
        yield _family(metrics.EDITION, [((), self._plane.version)])
        yield from _of_workers(self._data_path.workers())
        yield from self._of_virtual_clusters()
        yield from self._of_faults(self._plane.faults.all())

    def _resting(self) -> Mapping[str, Mapping[Labels, float]]:
        """Return what the gauges say where there is nothing to count: a gauge that vanishes is no zero."""
        listeners = {name: each.spec.virtual_cluster for name, each in self._plane.catalogue.listeners.items()}
        return {
            "open": dict.fromkeys(listeners.items(), 0.0),
            "in_flight": {(name,): 0.0 for name in self._plane.catalogue.virtual_clusters},
            "buffered": {(name,): 0.0 for name in listeners},
        }

    def _of_virtual_clusters(self) -> Iterator[Family]:
        plane, facts = self._plane, self._data_path.facts()
        names = list(plane.catalogue.virtual_clusters)
        serving = {name: plane.serving(name) for name in names}
        yield _family(metrics.SERVING, [(each, 1) for each in serving.items()])
        yield _family(metrics.FENCED, [((name,), plane.is_fenced(name)) for name in names])
        yield _family(metrics.WRITES, [((name,), self._data_path.writes_in_flight(name)) for name in names])
        switchovers = [(name, each.state) for name in names if (each := plane.switchover(name)) is not None]
        yield _family(
            metrics.SWITCHOVER,
            [((name, state), now == state) for name, now in switchovers for state in get_args(State)],
        )
        known = {name: facts.clusters.get(name, (None, {}))[0] is not None for name in serving.values()}
        yield _family(metrics.CLUSTER, [((name,), is_known) for name, is_known in known.items()])

    def _of_faults(self, faults: Sequence[LiveFault]) -> Iterator[Family]:
        counted = [(_labels(each), each, self._plane.fault_counts(each)) for each in faults]
        yield _family(metrics.FAULT_ACTIVE, [(labels, each.state == "active") for labels, each, _ in counted])
        yield _family(metrics.FAULT_MATCHED, [(labels, counts.matched) for labels, _, counts in counted])
        yield _family(metrics.FAULT_FIRED, [(labels, counts.fired) for labels, _, counts in counted])
        yield _family(metrics.FAULT_SKIPPED, [(labels, sum(counts.skipped.values())) for labels, _, counts in counted])


def _of_workers(workers: Iterable[WorkerFacts]) -> Iterator[Family]:
    numbered = [((str(each.number),), each) for each in workers]
    yield _family(metrics.WORKER_EDITION, [(labels, each.edition) for labels, each in numbered])
    yield _family(metrics.WORKER_CONNECTIONS, [(labels, each.connections) for labels, each in numbered])
    yield _family(metrics.WORKER_RESTARTS, [(labels, each.restarts) for labels, each in numbered])
    seen = [(labels, _process(each.pid)) for labels, each in numbered if each.pid is not None]
    for metric, source in (
        (metrics.WORKER_MEMORY, "process_resident_memory_bytes"),
        (metrics.WORKER_CPU, "process_cpu_seconds_total"),
        (metrics.WORKER_FILES, "process_open_fds"),
    ):
        yield _family(metric, [(labels, values[source]) for labels, values in seen if source in values])


def _process(pid: int) -> dict[str, float]:
    """Return what Linux knows of a process, by prometheus_client's names; nothing of one that is gone."""
    families = ProcessCollector(pid=lambda: pid, registry=None).collect()
    return {sample.name: sample.value for family in families for sample in family.samples}


def _labels(live: LiveFault) -> Labels:
    return live.fault.name, live.fault.spec.type, live.fault.spec.virtual_cluster


def _family(metric: Metric, samples: Samples) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, samples: Latencies) -> Family:
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
    for labels, latency in samples:
        buckets = list(zip(bounds, accumulate(latency.buckets), strict=True))
        family.add_metric(labels, buckets, latency.seconds)
    return family
