"""What one connection may ask of the gateway."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    frame: int = 104_857_600
    """Largest request in bytes: Kafka's own default for `socket.request.max.bytes`. Also the largest response that is
    ever held whole in memory; a response that only streams through may be larger."""
    in_flight: int = 10_000
    """Most requests without a response on one connection."""
