"""Events of a run in words for a terminal; those that say nothing to somebody who watches have none."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.journal.events import (
    ClientError,
    ClientStarted,
    ClusterDescribed,
    Event,
    FaultArmed,
    FaultEnded,
    LabActed,
    Noted,
    PhaseEnded,
    PhaseStarted,
    RunEnded,
    SteadyStateChecked,
    StepEnded,
    StepStarted,
    SwitchoverProgressed,
)


@dataclass(frozen=True)
class Words:
    """A line and rich's style for it."""

    text: str
    style: str = ""


def words_for(event: Event) -> Words | None:  # noqa: C901, PLR0912 - a table of cases, each a line
    """Return what to print for an event; None for nothing."""
    match event:
        case PhaseStarted():
            return Words(event.phase, "bold cyan")
        case PhaseEnded(ok=False):
            return Words(f"{event.phase} failed: {event.detail}", "red")
        case StepStarted():
            return Words(f"step {event.step}: {event.action}", "bold")
        case StepEnded():
            said = f": {event.detail}" if event.detail else ""
            return Words(f"step {event.step} ended{said}", "dim" if event.ok else "red")
        case FaultArmed():
            return Words(f"fault {event.fault} armed", "yellow")
        case FaultEnded():
            skipped = f", {sum(event.skipped.values())} skipped" if event.skipped else ""
            struck = f" on {', '.join(event.clients)}" if event.clients else ""
            return Words(
                f"fault {event.fault} ended: {event.fired} of {event.matched} struck{skipped}{struck}", "yellow"
            )
        case SwitchoverProgressed():
            return Words(f"switchover: {event.state}{': ' + event.detail if event.detail else ''}", "magenta")
        case LabActed():
            brokers = f" brokers {', '.join(map(str, event.brokers))}" if event.brokers else ""
            return Words(f"lab: {event.action} {event.cluster}{brokers}", "yellow")
        case ClientStarted():
            return Words(f"{event.client}: {event.role} on {event.topic}, {event.detail}")
        case ClientError():
            return Words(f"{event.client}: {event.error} x {event.count}", "red")
        case ClusterDescribed():
            return Words(f"cluster {event.cluster} ({event.role}): {event.version}, {len(event.brokers)} brokers")
        case SteadyStateChecked():
            verdict = "holds" if event.ok else "does not hold"
            text = (
                f"steady state {verdict} {event.when} the drill: {event.name} {event.measured}, wanted {event.target}"
            )
            return Words(text, "green" if event.ok else "red")
        case Noted():
            return Words(f"note: {event.text}", "yellow")
        case RunEnded():
            said = f": {event.detail}" if event.detail else ""
            return Words(f"run {event.outcome}{said}", "" if event.outcome == "completed" else "red")
    return None
