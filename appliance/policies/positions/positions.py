"""All of this package for one virtual cluster: made once, asked for its interceptors by every new snapshot."""

from __future__ import annotations

from collections.abc import Callable

from appliance.exchange.interceptor import Interceptor
from appliance.policies.positions.beginnings import Beginnings
from appliance.policies.positions.continuous import Continuous
from appliance.policies.positions.heartbeats import Heartbeats
from appliance.policies.positions.hold_fetch import Held, HoldFetch, Holding
from appliance.policies.positions.leader_epochs import LeaderEpochs
from appliance.policies.positions.members import Members, News
from appliance.policies.positions.membership import Membership
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.policies.positions.rebootstrap import Rebootstrap
from appliance.policies.positions.rejoin import Rejoin
from appliance.policies.positions.sequences import FIRST_SWITCH, Sequences
from appliance.policies.positions.topic_ids import TopicIds
from appliance.policies.positions.transactional_ids import TransactionalIds
from appliance.policies.positions.transactions import Transactions
from appliance.resources.virtual_cluster import VirtualClusterSpec

_Asked = tuple[VirtualClusterSpec, str, int, PositionMaps]


class Positions:
    """Remembers, across snapshots, who is a member of which group and whose Fetch is held. `clock` is monotonic, in
    seconds; `tell` is called with what other processes must know of, which `take` it there."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[News], None] | None = None) -> None:
        self._clock = clock
        self._members = Members(tell)
        self._transactional_ids = TransactionalIds(tell)
        self._holding = Holding(self._members)
        self._last: tuple[_Asked, tuple[Interceptor, ...]] | None = None
        self._closest: tuple[tuple[VirtualClusterSpec, PositionMaps], tuple[Interceptor, ...]] | None = None

    def held(self) -> list[Held]:
        """Return whose Fetch is held now."""
        return self._holding.held(self._clock())

    def take(self, news: News) -> None:
        """Take note of what another process heard."""
        if news.what == "born":
            self._transactional_ids.take(news)
        else:
            self._members.take(news, self._clock())

    def interceptors(
        self, spec: VirtualClusterSpec, serving: str, switches: int = 0, maps: PositionMaps = NO_MAPS
    ) -> tuple[Interceptor, ...]:
        """Return what belongs on the route, in order for requests; the same ones for the same question.

        `switches`: how often the virtual cluster was switched, in this process's life or before.

        A virtual cluster that cannot be switched and never was gets nothing.
        """
        asked = (spec, serving, switches, maps)
        if self._last is None or self._last[0] != asked:
            self._members.switched(switches, self._clock())
            self._transactional_ids.switched(switches)
            self._last = asked, tuple(self._made(*asked))
        return self._last[1]

    def closest_to_the_cluster(self, spec: VirtualClusterSpec, maps: PositionMaps = NO_MAPS) -> tuple[Interceptor, ...]:
        """Return what belongs behind everything else on the route; the same ones for the same question."""
        if self._closest is None or self._closest[0] != (spec, maps):
            its = TopicIds(maps.topic_ids)
            wanted = spec.remedies.topic_ids == "on" and not its.is_identity
            self._closest = (spec, maps), (its,) if wanted else ()
        return self._closest[1]

    def _made(self, spec: VirtualClusterSpec, serving: str, switches: int, maps: PositionMaps) -> list[Interceptor]:
        made: list[Interceptor] = []
        was_switched = switches > 0
        listens = "on" in {spec.remedies.hold_fetch, spec.remedies.rejoin} or spec.positions != "client"
        if listens and (spec.standbys or was_switched):
            made.append(Membership(self._members, serving, self._clock, switched=was_switched))
        if spec.remedies.heartbeats == "on" and spec.standbys:
            made.append(Heartbeats())
        ids = self._transactional_ids
        if spec.remedies.transactions == "on" and (spec.standbys or ids.any_left_behind):
            made.append(Transactions(ids, serving, after_switch=ids.any_left_behind))
        if not was_switched:
            return made
        if spec.rebootstrap:
            made.append(Rebootstrap(serving, spec.rebootstrap))
        if spec.remedies.hold_fetch == "on":
            limit, then = spec.hold_fetch.up_to, spec.hold_fetch.then
            made.append(HoldFetch(self._holding, serving, self._clock, limit=limit, then=then))
        if spec.remedies.rejoin == "on":
            made.append(Rejoin(self._members))
        if spec.remedies.leader_epochs == "on":
            made.append(LeaderEpochs(serving, switches))
        if spec.offsets == "continuous" and not all(maps.is_identity(each) for each in maps.clusters):
            made.append(Continuous(maps, unproven=spec.unproven))
        if switches >= FIRST_SWITCH and spec.producer_ids == "tagged" and not spec.preserves_bytes:
            made.append(Sequences(serving, switches))
        if spec.positions != "client":
            offsets = None if spec.positions == "refuse" else maps.beginnings
            # Last, so first to see an answer: what it puts there is the cluster's own offset.
            made.append(Beginnings(serving, offsets, self._members.had))
        return made
