"""The rows of the table, as values that can be kept."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from tests.matrix.standing import Mode
from tests.switching.acts import ActName
from tests.switching.front import Remedies


class Row(BaseModel):
    """What one switchover did to one client."""

    client: str
    version: str
    remedies: Remedies
    act: ActName
    mode: Mode
    first_success: float | None
    """Seconds from the moment that the switchover touched clients; None: not within the time looked at."""
    stable: float | None
    """The same to the start of five seconds without a failure or a gap."""
    looked_at: float
    """Seconds for which it was looked at."""
    lost: int = 0
    unreplicated: int = 0
    """Acknowledged records that the lost cluster has and its successor does not, by their logs."""
    duplicated: int = 0
    skipped: int = 0
    redelivered: int = 0
    redelivered_committed: int = 0
    """Those of them that its group had committed, or that were written after the switch."""
    out_of_order: int = 0
    errors: int = 0
    said: str = ""
    """Which errors, the most frequent first."""
    ended: str = ""
    """How its process ended by itself."""
    broken: list[str] = []
    """What must hold and does not."""


class Switched(BaseModel):
    """All that one run found."""

    started: datetime
    minutes: float = 0.0
    versions: dict[str, str]
    revision: str
    rows: list[Row] = []
    not_run: dict[str, str] = {}
    """Client, or one thing that it can be doing -> why it was not run."""
    excused: list[str] = []
    """Those of them that no switchover is to blame for: no toolchain, nothing that runs without end, nothing that
    lives through the death of a broker."""
    spoiled: list[str] = []
    """Switchovers that did not take place."""
    stayed: list[tuple[Remedies, str]] = []
    """Clients that had to be killed at the end of a play, and with which remedies."""
    complaints: list[str] = []
    """Errors of its own that the gateway logged."""
    rebootstraps: int = 0
    """How often the gateway told a client to start over."""
    load: float = 0.0
    """The highest load average of a minute; 0: not looked at."""
    cores: int = 0

    @property
    def passed(self) -> bool:
        """Whether all that was run with the remedies on held what must hold."""
        broken = [row for row in self.rows if row.remedies == "on" and row.broken]
        stayed = [client for remedies, client in self.stayed if remedies == "on"]
        lacking = set(self.not_run) - set(self.excused)
        ran = any(row.remedies == "on" for row in self.rows)
        return ran and not (broken or stayed or lacking or self.spoiled or self.complaints)
