"""All that a running drill can reach: handed to every phase and every step."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.drills.gateway_process import RunningGateway
from appliance.drills.healing import Healing
from appliance.drills.record import RunClock, RunRecord
from appliance.drills.recovery import STABLE_SECONDS
from appliance.drills.scenario import Scenario
from appliance.drills.scenario.traffic import Client as ClientPlan
from appliance.drills.traffic.client import Site
from appliance.drills.traffic.fleet import Fleet
from appliance.drills.traffic.logbook import Logbook
from appliance.drills.watching import Progress
from appliance.journal.events import Noted
from appliance.lab import Lab


class DrillAbortedError(Exception):
    """The drill cannot go on as it is written (a switchover failed, the gateway died); healing and judging follow."""


class InconclusiveError(Exception):
    """The drill must not begin: the steady state does not hold, clients do not connect. No fault was armed."""


@dataclass
class Stage:
    """The parts of one run."""

    scenario: Scenario
    seed: int
    clock: RunClock
    record: RunRecord
    progress: Progress
    logbook: Logbook
    lab: Lab
    gateway: RunningGateway
    fleet: Fleet
    site: Site
    serving: str
    """The cluster that serves the virtual cluster, as far as is known."""
    healing: Healing = field(default_factory=Healing)
    disrupted_at: float | None = None
    """When the disruption began that is going on, or that was last."""
    armed: set[str] = field(default_factory=set)
    """Faults whose beginning is on record, and whose end is owed to it."""
    begun: bool = False
    """The steady state was seen, and steps are played or have been."""
    winding_up: bool = False
    """Clients stop: that they fall silent says nothing any more."""
    steps_over: bool = False
    """All steps have been played; what goes on in the background ends now."""

    @property
    def virtual_cluster(self) -> str:
        """Return the name of the virtual cluster that the clients use."""
        return self.scenario.lab.virtual_cluster.name

    def note(self, text: str) -> None:
        """Record a remark that a reader of the report must see."""
        self.record.add(Noted(at=self.clock(), text=text))

    def disrupted(self) -> None:
        """Note that clients are expected to fail from now on; while some are not back yet, the first time counts."""
        now = self.clock()
        if self.disrupted_at is None or all(
            each.calm_for(now) >= STABLE_SECONDS for each in self.logbook.tallies.values()
        ):
            self.disrupted_at = now

    def running(self) -> list[ClientPlan]:
        """Return the clients that have been started, as the scenario has them."""
        started = {each.name for each in self.fleet.clients}
        return [each for each in self.scenario.traffic if each.name in started]
