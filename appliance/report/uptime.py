"""A client's availability in numbers: the table beside the timeline, for those who cannot read the picture."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.summary import Availability, Span, Summary


@dataclass(frozen=True)
class Uptime:
    """Seconds of one client in each state, and its spans without service."""

    client: str
    ok: float
    degraded: float
    down: float
    outages: list[Span]

    @property
    def observed(self) -> float:
        """Seconds in any state."""
        return self.ok + self.degraded + self.down


def uptimes(summary: Summary) -> list[Uptime]:
    """Return a row per client, in the summary's order."""
    return [_uptime(each) for each in summary.availability]


def _uptime(availability: Availability) -> Uptime:
    spent = {
        state: sum(each.end - each.start for each in availability.spans if each.state == state)
        for state in ("ok", "degraded", "down")
    }
    outages = [each for each in availability.spans if each.state == "down"]
    return Uptime(availability.client, spent["ok"], spent["degraded"], spent["down"], outages)
