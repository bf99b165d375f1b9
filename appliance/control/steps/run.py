"""What the steps of one switchover share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import trio

from appliance.control.datapath import ClusterView, DataPath
from appliance.control.holding import LONGEST
from appliance.control.plan import PlannedPart, planned_clients
from appliance.control.positions import PositionTaking
from appliance.control.preflight import Findings
from appliance.control.replication import Ends, Gauge, in_words
from appliance.control.switchover import Switchover
from appliance.exchange.route import Target
from appliance.gateway.clientele import Clientele
from appliance.policies.connect.fence import OPEN, Fence
from appliance.policies.positions.offset_maps import PositionMaps

_LOOK_SECONDS = 0.01


class NotDrainedError(Exception):
    """The hold and the refusal ran out before the target had everything."""


class Signals(Protocol):
    """What a switchover sets: the fence, and which cluster serves; and where its record is kept."""

    def fence(self, virtual_clusters: tuple[str, ...], fence: Fence) -> int:
        """Publish an edition with this fence; return its version."""

    async def keep(self, switchover: Switchover) -> None:
        """Write the record down. Raises StateError."""

    async def switch(self, switchover: Switchover, maps: Mapping[str, PositionMaps]) -> int:
        """Write down who serves, how its offsets look, and the record, in one; then publish the one edition that makes
        it so, with the fence as it is, or held where there is none; return its version. Raises StateError before any
        change."""


@dataclass
class Run:
    """One switchover under way."""

    switchover: Switchover
    source: Target
    target: Target
    signals: Signals
    data_path: DataPath
    gauge: Gauge | None
    without: frozenset[str] = frozenset()
    """Topics that are not replicated, because each cluster has its own: canaries'."""
    positions: Mapping[str, PositionTaking] = field(default_factory=dict)
    """Virtual cluster -> what takes its positions along."""
    maps: dict[str, PositionMaps] = field(default_factory=dict)
    """Virtual cluster -> its maps from the switch on."""
    hold: float = LONGEST
    """How long writes are held, in seconds; preflight says."""
    fence: Fence = OPEN
    version: int = 0
    """Of the edition that has the fence, or the switch."""
    limit: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around all steps before the switch; has a deadline once writes are kept from flowing."""
    refuse_at: float = math.inf
    """When held writes begin to be refused."""
    held: trio.Event = field(default_factory=trio.Event)
    """Writes have been held for the first time; `refuse_at` is known."""
    started: float = 0.0
    """When the drain began."""
    source_view: ClusterView | None = None
    """Not there when it is not to be asked (unplanned)."""
    target_view: ClusterView | None = None
    findings: Findings | None = None
    ends: Ends | None = None
    """Where the source's logs end behind the fence."""

    def set_fence(self, fence: Fence) -> None:
        """Publish another fence; it comes into effect at once or soon (`in_effect`)."""
        self.fence = fence
        self.version = self.signals.fence(self.switchover.virtual_clusters, fence)

    async def in_effect(self) -> None:
        """Wait until every process that serves clients does what was last published."""
        await self.data_path.in_effect(self.version)

    def writes_in_flight(self) -> int:
        """Return how many writes have gone upstream and have no answer yet."""
        return sum(map(self.data_path.writes_in_flight, self.switchover.virtual_clusters))

    def overdue_writes(self) -> int:
        """Return how many connections have held writes that are still to be written on the target."""
        return sum(map(self.data_path.overdue_writes, self.switchover.virtual_clusters))

    async def until_none(self, count: Callable[[], int], words: str) -> None:
        """Wait until nothing is left of what is counted; meanwhile say how much, in these words, `{}` being the
        number."""
        await self.data_path.refresh()
        while left := count():
            self.switchover.say(words.format(left))
            await trio.sleep(_LOOK_SECONDS)
            await self.data_path.refresh()

    def parts(self) -> tuple[PlannedPart, ...]:
        """Return what is connected of each virtual cluster now."""
        facts = self.data_path.facts()
        return tuple(
            PlannedPart(
                name,
                sum(count for (its, _, _), count in facts.connections.items() if its == name),
                self.data_path.writes_in_flight(name),
                planned_clients(facts.clients, name),
            )
            for name in self.switchover.virtual_clusters
        )

    def clients(self) -> list[Clientele]:
        """Return whom it moves."""
        return [
            its
            for kind, its in self.data_path.facts().clients.items()
            if kind.virtual_cluster in self.switchover.virtual_clusters
        ]

    @property
    def both(self) -> tuple[ClusterView, ClusterView]:
        """Source and target, in the steps of a planned switchover."""
        assert self.source_view is not None
        assert self.target_view is not None
        return self.source_view, self.target_view

    @property
    def found(self) -> Findings:
        """What preflight found, in the steps behind it."""
        assert self.findings is not None
        return self.findings

    def not_drained(self) -> str:
        """Say what was still missing when the time was up."""
        seconds = self.hold + self.switchover.order.refuse
        if self.switchover.state == "fence":
            return f"not every worker held the writes within {seconds:.3g}s"
        if writes := self.writes_in_flight():
            missing = f"{writes} writes without an answer"
        elif self.switchover.state == "transactions":
            missing = "transactions did not end"
        elif self.gauge is not None and self.switchover.lag:
            missing = in_words(self.switchover.lag)
        elif self.switchover.paused_before is not None:
            missing = f"nobody let it go on before {self.switchover.paused_before}"
        else:
            missing = "replication could not be measured"
        return f"not drained within {seconds:.3g}s: {missing}"
