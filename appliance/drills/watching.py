"""What a run says while it goes on, to whoever watches; the command line shows it, tests ignore it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from appliance.journal.events import Event


@dataclass(frozen=True)
class ClientStanding:
    """One client at this moment."""

    name: str
    role: str
    successes: int
    """Acknowledged or delivered records."""
    troubles: int
    silent_seconds: float | None
    """Since the last success; None before the first, and for producers that only write in turns."""
    longest_gap: float
    calm: bool
    """Works without a failure or a gap for long enough to be called stable."""


@dataclass(frozen=True)
class Standing:
    """The whole run at this moment."""

    at: float
    clients: list[ClientStanding] = field(default_factory=list)
    acknowledged: int = 0
    unseen: int | None = None
    """Acknowledged, not delivered to any consumer yet: what lags, or is lost. None where nobody consumes."""
    disrupted_for: float | None = None
    """Seconds since the first disruption while some client is not back; None where all are well."""
    recovered_after: float | None = None
    """Seconds from the first disruption until all were back; None before."""


class Progress(Protocol):
    """Somebody who watches. All methods are called on trio's thread and must return at once."""

    def say(self, text: str) -> None:
        """Tell what is being waited for, or what came of it."""

    def writes_to(self, directory: Path) -> None:
        """Tell where the run's files lie, first of all."""

    def happened(self, event: Event) -> None:
        """Tell of an event as it is recorded."""

    def stands(self, standing: Standing) -> None:
        """Tell how the run stands, about once a second while traffic flows."""


class Silence:
    """Nobody watches."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def writes_to(self, directory: Path) -> None:
        """Ignore it."""

    def happened(self, event: Event) -> None:
        """Ignore it."""

    def stands(self, standing: Standing) -> None:
        """Ignore it."""
