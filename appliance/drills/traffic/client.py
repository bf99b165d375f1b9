"""What every client of a drill is to the fleet that runs it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal, Protocol

from appliance.drills.access import Access
from appliance.drills.traffic.logbook import Logbook

Role = Literal["producer", "assigned-consumer", "group-consumer"]


@dataclass(frozen=True)
class Site:
    """Where clients work and what they report to."""

    bootstrap: str
    """Of the virtual cluster: what an application would be given."""
    run: str
    """Marks this run's records."""
    logbook: Logbook
    logger: logging.Logger
    """Gets librdkafka's own messages."""
    access: Access = field(default_factory=Access)

    def connection(self, client: str) -> dict[str, str]:
        """Return librdkafka's settings by which this client reaches the virtual cluster."""
        return {"bootstrap.servers": self.bootstrap, **self.access.settings(client)}


class Client(Protocol):
    """One application: runs in a worker thread until it is told to wind up."""

    name: str
    role: Role
    topic: str
    detail: str
    """The settings that matter, for people."""
    connected: bool
    """Set by the thread once the client has seen its topic through the gateway."""
    leftover: str
    """Set by the thread at the end: what it could not finish, empty if nothing."""

    def run(self) -> None:
        """Work until `wind_up` was called and what it asked for is done. Blocks: for a worker thread."""

    def wind_up(self, seconds: float) -> None:
        """Ask for the end: finish what was begun, for at most this many seconds. May be called again."""
