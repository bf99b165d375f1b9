"""What is taken down of one switchover: the logs of both clusters, and what each client told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.matrix.standing import Mode
from tests.matrix.tasks import Event
from tests.matrix.truth import Written

ActName = Literal["planned", "failback", "unplanned"]
Logs = Mapping[str, Sequence[Written]]
"""Topic -> its committed records, in each partition in the order of offsets."""


@dataclass(frozen=True)
class Act:
    """One switchover. Times are seconds since 1970."""

    name: ActName
    begins: float
    """Since when the clients are looked at."""
    ending: float
    """When it first touched transactional producers: no transaction began any more, or the cluster was gone."""
    touched: float
    """When it first touched all others: writes were held, or the cluster was gone."""
    switched: float
    ends: float
    """Until when acknowledged records are judged; the logs were read after it."""
    settled: float
    """Until when readers had time to be delivered what is in the log."""
    serving: Logs
    """Of the cluster that serves since."""
    left: Logs
    """Of the cluster that served before, as it was left."""
    committed: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Client -> partition -> place that its group committed, on the cluster that served before."""
    ended: Mapping[str, str] = field(default_factory=dict)
    """Client -> how its process had ended by itself."""

    def touches(self, mode: Mode) -> float:
        """Return when it first touched a client that does this."""
        return self.ending if mode is Mode.TRANSACTIONAL else self.touched


@dataclass(frozen=True)
class Account:
    """One client, and all that it told."""

    client: str
    """As the table calls it."""
    version: str
    name: str
    """Of this process: its records, group and transactions bear it."""
    mode: Mode
    topic: str
    events: Sequence[Event]
