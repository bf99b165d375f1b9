"""The metrics that there are: names, kinds, labels, and what they mean. `docs/metrics.md` lists the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from appliance.gateway.tallies import REASONS


class Metric(NamedTuple):
    name: str
    """Counters end in _total, as they are shown."""
    kind: Literal["counter", "gauge", "histogram", "info"]
    labels: tuple[str, ...]
    meaning: str


_API = ("virtual_cluster", "api")
_LISTENER = ("listener", "virtual_cluster")
_FAULT = ("fault", "type", "virtual_cluster")

MEASURED: Mapping[str, Metric] = {
    "accepted": Metric(
        "tidegate_connections_accepted_total", "counter", _LISTENER, "Clients that came in and are known, where asked."
    ),
    "refused": Metric(
        "tidegate_connections_refused_total",
        "counter",
        (*_LISTENER, "reason"),
        f"Connections that were closed because of what the client did or is: {', '.join(REASONS[:-2])}; or because of "
        f"the cluster (upstream) or an error of the gateway's own (internal).",
    ),
    "open": Metric("tidegate_connections", "gauge", _LISTENER, "Client connections now."),
    "authentications": Metric(
        "tidegate_authentications_total",
        "counter",
        ("listener", "mechanism", "result"),
        "Attempts to authenticate at the gateway, by SASL mechanism or TLS; accepted or refused.",
    ),
    "requests": Metric(
        "tidegate_requests_total", "counter", _API, "Requests of clients that are known. APIs that are not: other."
    ),
    "responses": Metric(
        "tidegate_responses_total", "counter", _API, "Answers that began to come, or were made by the gateway itself."
    ),
    "bytes_in": Metric("tidegate_request_bytes_total", "counter", _API, "Bytes of requests, as they came."),
    "bytes_out": Metric(
        "tidegate_response_bytes_total",
        "counter",
        _API,
        "Bytes of answers, as they came or were made.",
    ),
    "gateway_times": Metric(
        "tidegate_gateway_seconds",
        "histogram",
        _API,
        "Time that a request and its answer spent in the gateway, holds and delays included: from its first byte until "
        "it had left, and from the answer's first byte until that had left. Large messages pass as they come: "
        "the first bytes are those of their headers.",
    ),
    "upstream_times": Metric(
        "tidegate_upstream_seconds",
        "histogram",
        _API,
        "Time from when a request had left until the answer's first byte came.",
    ),
    "errors": Metric(
        "tidegate_response_errors_total",
        "counter",
        (*_API, "error"),
        "Error codes in answers that the gateway makes or decodes. Not in those that only pass, nor, unless an "
        "interceptor looks into them, in Produce, Fetch, ShareFetch, ShareAcknowledge and Metadata.",
    ),
    "in_flight": Metric(
        "tidegate_requests_in_flight", "gauge", ("virtual_cluster",), "Requests that have no whole answer yet."
    ),
    "buffered": Metric(
        "tidegate_buffered_bytes",
        "gauge",
        ("listener",),
        "Memory held for unfinished messages that are needed whole (limits.buffered).",
    ),
}
"""By the field of `exchange.measures.Measures` that has its values."""

BUILD = Metric("tidegate_build_info", "info", ("version", "python"), "Always 1.")
EDITION = Metric("tidegate_edition", "gauge", (), "Version of the newest configuration.")
WORKER_EDITION = Metric(
    "tidegate_worker_edition", "gauge", ("worker",), "Version of the configuration that this process serves; 0: none."
)
WORKER_CONNECTIONS = Metric(
    "tidegate_worker_connections", "gauge", ("worker",), "Client connections of this process that lead to a cluster."
)
WORKER_RESTARTS = Metric(
    "tidegate_worker_restarts_total", "counter", ("worker",), "How often a process died and was replaced."
)
WORKER_MEMORY = Metric("tidegate_worker_resident_memory_bytes", "gauge", ("worker",), "Resident memory.")
WORKER_CPU = Metric("tidegate_worker_cpu_seconds_total", "counter", ("worker",), "User and system CPU time.")
WORKER_FILES = Metric("tidegate_worker_open_fds", "gauge", ("worker",), "Open file descriptors.")
SERVING = Metric(
    "tidegate_virtual_cluster_serving", "gauge", ("virtual_cluster", "cluster"), "1 for the cluster that serves it."
)
FENCED = Metric("tidegate_virtual_cluster_fenced", "gauge", ("virtual_cluster",), "1 while its writes are held.")
WRITES = Metric(
    "tidegate_writes_in_flight", "gauge", ("virtual_cluster",), "Writes that went upstream and have no answer yet."
)
SWITCHOVER = Metric(
    "tidegate_switchover_state",
    "gauge",
    ("virtual_cluster", "state"),
    "1 for the state of its latest switchover since the start, 0 for all others.",
)
CLUSTER = Metric("tidegate_cluster_known", "gauge", ("cluster",), "1 once a cluster that serves has told who it is.")
FAULT_ACTIVE = Metric("tidegate_fault_active", "gauge", _FAULT, "1 while the fault strikes.")
FAULT_MATCHED = Metric("tidegate_fault_matched_total", "counter", _FAULT, "Requests that the selectors matched.")
FAULT_FIRED = Metric("tidegate_fault_fired_total", "counter", _FAULT, "Requests or connections that were struck.")
FAULT_SKIPPED = Metric(
    "tidegate_fault_skipped_total", "counter", _FAULT, "Requests that were due to be struck and could not be."
)

ALL = (
    *MEASURED.values(),
    BUILD,
    EDITION,
    WORKER_EDITION,
    WORKER_CONNECTIONS,
    WORKER_RESTARTS,
    WORKER_MEMORY,
    WORKER_CPU,
    WORKER_FILES,
    SERVING,
    FENCED,
    WRITES,
    SWITCHOVER,
    CLUSTER,
    FAULT_ACTIVE,
    FAULT_MATCHED,
    FAULT_FIRED,
    FAULT_SKIPPED,
)
