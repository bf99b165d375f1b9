"""Who is connected, by software, and how patient they are when they write: for the plan of a switchover, which must
say whom it moves, and must not hold writes for longer than those who wait for them do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from appliance.gateway.session import Session


class ClientKind(NamedTuple):
    """Clients of one virtual cluster that said the same of themselves; software and version are empty where they said
    nothing."""

    virtual_cluster: str
    software: str
    version: str


@dataclass(frozen=True)
class Clientele:
    """What there is of one kind."""

    connections: int
    timeout: float | None = None
    """The shortest time, in seconds, that their Produce requests give the broker: the request timeout of all common
    clients. None: none of them has written over the connections that it has now."""


def clientele_of(sessions: Iterable[Session]) -> dict[ClientKind, Clientele]:
    """Count those that have got as far as a cluster."""
    return joined(
        {ClientKind(session.door.virtual_cluster, *session.software): Clientele(1, session.produce_timeout)}
        for session in sessions
        if session.target is not None
    )


def joined(parts: Iterable[Mapping[ClientKind, Clientele]]) -> dict[ClientKind, Clientele]:
    """Return all of them together."""
    found: dict[ClientKind, Clientele] = {}
    for part in parts:
        for kind, its in part.items():
            before = found.get(kind)
            found[kind] = its if before is None else _sum(before, its)
    return found


def _sum(one: Clientele, other: Clientele) -> Clientele:
    timeouts = [each for each in (one.timeout, other.timeout) if each is not None]
    return Clientele(one.connections + other.connections, min(timeouts, default=None))
