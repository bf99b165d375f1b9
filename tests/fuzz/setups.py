"""What stands between client and broker in a conversation: routes as `control` would publish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count, cycle
from types import MappingProxyType
from typing import Any

from appliance.chaos.faults import arm
from appliance.exchange.interceptor import Interceptor
from appliance.exchange.route import Route, Target
from appliance.policies.positions.offset_map import UNKNOWN, OffsetMap, Segment, shifted
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps, TopicId
from appliance.policies.positions.positions import Positions
from appliance.policies.standard import standard_interceptors
from appliance.resources.fault import FaultSpec
from appliance.resources.virtual_cluster import VirtualClusterSpec
from tests.fuzz import corpus

TARGET = Target("primary", (("real-1.internal", 9092),))


@dataclass(frozen=True)
class Setup:
    name: str
    route: Route
    opened: Route
    """The same without its fence."""
    plain: bool
    """Nobody may change anything but addresses, versions and the gateway's own answers."""
    topics: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names of topics by id, as Metadata would have told them."""
    exacting: bool = False
    """Looks further into messages than to where they end: noise in place of records is malformed."""


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
        *(_switched(name, switches, standard) for name, switches in (("awaiting", 0), ("switched", 1), ("back", 2))),
        _setup("fenced", standard, fenced=True),
        _setup("fenced-plain", (), fenced=True, plain=True),
    )


_DATA = {"apis": ["Produce", "Fetch"]}


def _setup(name: str, interceptors: tuple[Interceptor, ...], *, fenced: bool = False, plain: bool = False) -> Setup:
    opened = Route("orders", TARGET, interceptors)
    return Setup(name, Route("orders", TARGET, interceptors, fenced=True) if fenced else opened, opened, plain)


def _switched(name: str, switches: int, standard: tuple[Interceptor, ...]) -> Setup:
    """Return one with all remedies, of a cluster that took over after so many switchovers."""
    spec = VirtualClusterSpec.model_validate(
        {"cluster": "primary", "standbys": ["standby"], "replication": "mirrormaker", "offsets": "continuous"}
        | {"positions": "earliest" if switches else "client"}
    )
    ticks = count(0.0, 0.01)
    positions, maps = Positions(lambda: next(ticks)), _maps() if switches else NO_MAPS
    positions.interceptors(spec, "primary")  # as before any switchover
    before_faults = positions.interceptors(spec, "primary", switches, maps)
    route = Route("orders", TARGET, (*standard, *before_faults, *positions.closest_to_the_cluster(spec, maps)))
    return Setup(name, route, route, plain=False, topics=corpus.topics(), exacting=True)


@cache
def _maps() -> PositionMaps:
    """Return maps of all topics of the corpus, of every kind, and other topic ids for half of them."""
    kinds = cycle(
        (
            shifted(300),
            OffsetMap((Segment(0, 0), Segment(1005, 1105))),
            OffsetMap((Segment(0, 0), Segment(900, 900, UNKNOWN), Segment(1008, 700))),
            OffsetMap((Segment(0, 0), Segment(1005, 500))),
            shifted(-(1 << 40)),
        )
    )
    places = corpus.partitions()
    ids = {name: TopicId(each, each[::-1]) for each, name in list(corpus.topics().items())[::2]}
    maps = PositionMaps().with_cluster("primary", {place: next(kinds) for place in places})
    return maps.with_beginnings(dict.fromkeys(places, 17)).with_topic_ids("primary", ids)


def _fault(name: str, **spec: Any) -> tuple[str, Interceptor]:
    declared = {"virtual_cluster": "orders", "duration": "1m", "trigger": {"probability": "70%"}, **spec}
    interceptor = arm(name, FaultSpec.model_validate(declared)).interceptor
    assert interceptor is not None
    return name, interceptor
