"""A request and its response as interceptors see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from appliance.exchange.software import UNTOLD, Software
from appliance.exchange.topology import Knowledge
from appliance.wire.walk import Buffer


class Peer(NamedTuple):
    """The client's end of a connection: no two connections share it at one time."""

    host: str
    port: int


NOBODY = Peer("", 0)
"""Where it does not matter who asks."""


@dataclass(slots=True)
class Question:
    """A request that is whole in memory.

    `body` belongs to the connection's buffer while `on_request` runs, and may be written into as far as it is writable
    and sizes stay; whoever needs it later finds a copy in `Answer.question`, if some interceptor wanted the request.
    """

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str
    body: Buffer
    knowledge: Knowledge
    """What is known of the cluster that serves the connection."""
    peer: Peer = NOBODY
    software: Software = UNTOLD
    """What the client says it is."""
    memo: dict[str, object] = field(default_factory=dict)
    """What an interceptor noted at the request for the response, under its own name."""


@dataclass(slots=True)
class Answer:
    """A response that is whole in memory, and the request that it answers.

    `body` may be written into, as far as it is writable and sizes stay; that is not a replacement.
    """

    question: Question
    body: Buffer
