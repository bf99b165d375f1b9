"""What stands between client and broker in a conversation: routes as `control` would publish them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from appliance.chaos.faults import arm
from appliance.exchange.interceptor import Interceptor
from appliance.exchange.route import Route, Target
from appliance.policies.standard import standard_interceptors
from appliance.resources.fault import FaultSpec
from appliance.resources.virtual_cluster import VirtualClusterSpec

TARGET = Target("primary", (("real-1.internal", 9092),))


@dataclass(frozen=True)
class Setup:
    name: str
    route: Route
    opened: Route
    """The same without its fence."""
    plain: bool
    """Nobody may change anything but addresses, versions and the gateway's own answers."""


def setups() -> tuple[Setup, ...]:
    """Return new ones: faults count what they strike, and should not count for ever."""
    standard = standard_interceptors(VirtualClusterSpec(cluster="primary"))
    faults = (
        _fault("slow", latency={"delay": "1s", "jitter": "1s"}),
        _fault("slow-answers", apply="after", latency={"delay": "1s"}, select={"apis": ["Produce", "Fetch"]}),
        _fault("slow-partition", latency={"delay": "1s"}, select={"topic": "a*", "partitions": [0, 1]} | _DATA),
        _fault("refused", error={"code": "NOT_ENOUGH_REPLICAS"}, select={"apis": ["Produce"]}),
        _fault("refused-late", apply="after", error={"code": "REQUEST_TIMED_OUT"}, select={"apis": ["Produce"]}),
        _fault("unread", error={"code": "OFFSET_NOT_AVAILABLE"}, select={"apis": ["Fetch"]}),
    )
    return (
        _setup("plain", (), plain=True),
        _setup("standard", standard),
        *(_setup(name, (fault, *standard)) for name, fault in faults),
        _setup("everything", (*(fault for _, fault in faults), *standard)),
        _setup("fenced", standard, fenced=True),
        _setup("fenced-plain", (), fenced=True, plain=True),
    )


_DATA = {"apis": ["Produce", "Fetch"]}


def _setup(name: str, interceptors: tuple[Interceptor, ...], *, fenced: bool = False, plain: bool = False) -> Setup:
    opened = Route("orders", TARGET, interceptors)
    return Setup(name, Route("orders", TARGET, interceptors, fenced=True) if fenced else opened, opened, plain)


def _fault(name: str, **spec: Any) -> tuple[str, Interceptor]:
    declared = {"virtual_cluster": "orders", "duration": "1m", "trigger": {"probability": "70%"}, **spec}
    interceptor = arm(name, FaultSpec.model_validate(declared)).interceptor
    assert interceptor is not None
    return name, interceptor
