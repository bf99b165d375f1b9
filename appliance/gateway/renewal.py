"""Staying logged in at a cluster whose sessions end (KIP-368): another login in good time, on the same connection."""

from __future__ import annotations

import trio

from appliance.exchange.route import Target
from appliance.gateway.dialer import Dialer, Dialled
from appliance.gateway.pair import Pair

_SHARE = 0.8
"""Of a session's life after which it is renewed; Kafka's clients do so at a random 85 to 95 %."""


async def stay_logged_in(dialer: Dialer, target: Target, principal: str, pair: Pair, upstream: Dialled) -> None:
    """Log in again and again until cancelled. Raises NotLoggedIn where the cluster has had enough of us."""
    lifetime = upstream.session_lifetime
    while lifetime is not None:
        await trio.sleep(lifetime * _SHARE)
        log_in = await dialer.login(target, principal)  # before, so that no request waits for a secret store
        async with pair.upstream_reserved() as ask:
            lifetime = await log_in(ask)
