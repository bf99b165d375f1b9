"""The one ordered list of interceptors that a virtual cluster gets by its own spec."""

from __future__ import annotations

from appliance.exchange.interceptor import Interceptor
from appliance.policies.connect.producer_identity import ProducerIdentity
from appliance.resources.virtual_cluster import VirtualClusterSpec


def standard_interceptors(spec: VirtualClusterSpec) -> tuple[Interceptor, ...]:
    """Return the interceptors in their order for requests."""
    interceptors: list[Interceptor] = []
    if spec.producer_ids == "tagged":
        interceptors.append(ProducerIdentity())
    return tuple(interceptors)
