"""What a FailoverPolicy decides. Pure: all it knows is handed in, the time included.

It never flaps: standing has hysteresis, a switchover of whoever's holds it down, and it knows one direction only: the
way back is for people. It never switches to a cluster that is not healthy, that fails more often than the one that is
left, or that may lack more than `rpo` allows. A cluster that was never seen healthy is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.control.health import Health
from appliance.resources.failover_policy import FailoverPolicySpec


@dataclass(frozen=True)
class Successor:
    """A cluster that may take the place of the one that is watched."""

    name: str
    health: Health
    caught_up_at: float | None
    """The last time of which it is known that it had everything that the watched cluster had then."""


@dataclass(frozen=True)
class Situation:
    """What there is to decide upon. Times on one clock."""

    now: float
    watched: Health
    was_healthy: bool
    """The watched cluster was seen healthy since it is watched."""
    successors: tuple[Successor, ...]
    served: tuple[str, ...]
    """The virtual clusters that the watched cluster serves."""
    switching: bool
    """One of them is being switched."""
    last_switchover: float | None
    """When the last switchover of one of them was over."""


@dataclass(frozen=True)
class Decision:
    """What to do now."""

    action: Literal["none", "alert", "switch"]
    why: str
    to: str | None = None


def decide(name: str, spec: FailoverPolicySpec, situation: Situation) -> Decision:
    """Return what the policy `name` makes of a situation."""
    cluster, watched = spec.cluster, situation.watched
    if watched.standing != "unhealthy":
        return Decision("none", f"{cluster} is {watched.standing}")
    if not situation.served:
        return Decision("none", f"{cluster} is unhealthy, and serves no virtual cluster")
    trouble = f"{cluster} is unhealthy ({watched.failure or 'it fails on and off'})"
    if not situation.was_healthy:
        return Decision("alert", f"{trouble}, and was never seen healthy: see that the canary of {name} is right")
    if situation.switching:
        return Decision("alert", f"{trouble}; a switchover is under way")
    if situation.last_switchover is not None:
        left = situation.last_switchover + spec.hold_down - situation.now
        if left > 0:
            return Decision("alert", f"{trouble}; held down for {left:.0f}s more after the last switchover")
    fit, reasons = None, []
    for successor in situation.successors:
        wrong = _unfit(spec, watched, successor)
        if not wrong:
            fit = successor.name
            break
        reasons.append(f"{successor.name} {wrong}")
    if fit is None:
        return Decision("alert", f"{trouble}; nowhere to go: {'; '.join(reasons)}")
    if spec.action == "alert":
        return Decision("alert", f"{trouble}; {fit} could take its place", fit)
    return Decision("switch", f"{trouble}; {fit} takes its place", fit)


def exposure(watched: Health, successor: Successor) -> float | None:
    """Return how many seconds of writes the successor may lack; None where that was never measured."""
    if successor.caught_up_at is None:
        return None
    failed_at = watched.failing_since
    return max(0.0, (failed_at if failed_at is not None else watched.since) - successor.caught_up_at)


def _unfit(spec: FailoverPolicySpec, watched: Health, successor: Successor) -> str:
    """Say why a cluster may not take the place of the watched one; empty: it may."""
    if successor.health.standing != "healthy":
        return f"is {successor.health.standing}"
    if successor.health.failed_share >= watched.failed_share:
        return "fails as often"
    behind = exposure(watched, successor)
    if behind is None:
        return "" if spec.unknown_lag == "accept" else "was never seen to have everything"
    if behind > spec.rpo:
        return f"may lack what was written in {behind:.0f}s, above the rpo of {spec.rpo:g}s"
    return ""
