"""What a virtual cluster declares about its clients across a switchover."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from appliance.resources.envelope import Spec
from appliance.resources.units import Duration

LEGAL_SOFTWARE = r"[a-zA-Z0-9](?:[a-zA-Z0-9.\-]{0,62}[a-zA-Z0-9])?"
"""A name or version as clients may say theirs: what KIP-511 allows, and brokers insist on; the length is our own limit,
for it is shown to people."""
_POSITIONS = ("client", "earliest", "latest", "refuse")
_TIMESTAMP = "timestamp:"
_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+)*?)(?:\.0+)*(?![0-9.])")


def _switch(said: object) -> object:
    return ("on" if said else "off") if isinstance(said, bool) else said


Switch = Annotated[Literal["on", "off"], BeforeValidator(_switch)]
"""`on` or `off`; YAML 1.1 reads both as booleans where they are not quoted."""


class Remedies(Spec):
    """What is done for clients across a switchover. Leave it all on: `off` exists for the drills that show what
    happens without."""

    rejoin: Switch = "on"
    """Members of the newer group protocols are told to join again, not that their group is gone."""
    heartbeats: Switch = "on"
    """Members of the newer group protocols are told to send a heartbeat every two seconds, so that they learn soon that
    they have to join again; their coordinator would have them wait for five."""
    hold_fetch: Switch = "on"
    """Members of groups read on only when their group has given them positions of the new side."""
    leader_epochs: Switch = "on"
    """Leader epochs, which start anew on each cluster, go on rising for clients once there was a switchover."""
    topic_ids: Switch = "on"
    """Topics keep the ids that clients know, though each cluster has its own."""
    group_offsets: Switch = "on"
    """What groups have committed is written to the new side by a planned switchover, not only by MirrorMaker, which
    does it at an interval, where it is told to, and not always exactly."""
    held_writes: Switch = "on"
    """Writes that a planned switchover held go from the gateway to the new side; their clients, whose connections would
    be closed with the others, need not send them again."""
    transactions: Switch = "on"
    """Transactional producers, which the new side does not know, are told to abort and given a new producer id."""


class HoldFetch(Spec):
    """How long Fetch of a group's member waits after a switchover, and what then becomes of it."""

    up_to: Duration = 10.0
    then: Literal["error", "pass"] = "error"
    """`error`: it is refused with an error that makes clients ask for Metadata and try again. `pass`: it goes on at its
    old positions."""


class ClientSoftware(Spec):
    """Clients, by what they say of themselves in ApiVersions (KIP-511); the plan of a switchover shows it."""

    software: str = Field(pattern=f"^{LEGAL_SOFTWARE}$")
    """Such as `apache-kafka-java`, `librdkafka`, `kgo`."""
    since: str | None = Field(default=None, pattern=r"^[0-9]+(?:\.[0-9]+)*$")
    """The first version, such as `4.0`. None: all, also those that do not say theirs."""

    def matches(self, software: str, version: str) -> bool:
        """Return whether a client is one of these."""
        return software == self.software and (self.since is None or _numbers(version) >= _numbers(self.since))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, without zeros at their end: 4, 3 and 1 of `4.3.1-rc0`, 4 of
    `v4.0`."""
    found = _VERSION.match(version)
    return tuple(int(each) for each in found[1].split(".")) if found else ()


def timestamp_of(positions: str) -> datetime | None:
    """Return the time in `timestamp:...`, None for another way to say where to begin. Raises ValueError."""
    if not positions.startswith(_TIMESTAMP):
        return None
    said = positions.removeprefix(_TIMESTAMP)
    try:
        at = datetime.fromisoformat(said)
    except ValueError as error:
        raise ValueError(f"expected a time such as {_TIMESTAMP}2026-01-31T12:00:00Z; found {positions!r}") from error
    if at.tzinfo is None:
        raise ValueError(f"expected a time with its zone, such as {positions}Z; found {positions!r}")
    return at


def _checked(said: object) -> object:
    if isinstance(said, str) and (said in _POSITIONS or timestamp_of(said) is not None):
        return said
    raise ValueError(f"expected {', '.join(_POSITIONS)} or {_TIMESTAMP}2026-01-31T12:00:00Z; found {said!r}")


Beginning = Annotated[str, BeforeValidator(_checked)]
"""Where a group without committed offsets begins."""
