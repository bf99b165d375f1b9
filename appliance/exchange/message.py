"""A request and its response as interceptors see them."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.exchange.topology import Knowledge
from appliance.wire.walk import Buffer


@dataclass(slots=True)
class Question:
    """A request that is whole in memory.

    `body` belongs to the connection's buffer while `on_request` runs; whoever needs it later finds a copy in
    `Answer.question`, if some interceptor wanted the request.
    """

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str
    body: Buffer
    knowledge: Knowledge
    """What is known of the cluster that serves the connection."""
    memo: dict[str, object] = field(default_factory=dict)
    """What an interceptor noted at the request for the response, under its own name."""


@dataclass(slots=True)
class Answer:
    """A response that is whole in memory, and the request that it answers."""

    question: Question
    body: Buffer
