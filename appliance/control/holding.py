"""For how long writes may be held: no longer than the clients wait whose writes they are.

A client whose request has had no answer within its request timeout closes the connection and sends the batch again
(Java, kafka-python and librdkafka alike): what was held then is held for nobody, and where the producer is not
idempotent it can be written twice. All common clients tell the broker that timeout in each Produce request, as the time
that it may wait for replicas.
"""

from __future__ import annotations

from collections.abc import Collection

from appliance.gateway.clientele import Clientele

LONGEST = 20.0
"""Seconds, where no client says less: two thirds of what the common clients wait by default."""
UNSAID = 30.0
"""Java's default request.timeout.ms, the shortest of the common clients': for clients that have not written yet."""
_SHARE = 2 / 3
"""Of the shortest timeout: the write was under way before it was held, and has to be answered after."""
_SHORTEST = 1.0
"""Seconds: nobody drains in less; whoever waits less than that is told of in the plan."""


def patience_of(clients: Collection[Clientele]) -> float:
    """Return the seconds that the least patient of these clients waits for the answer to a write."""
    return min((each.timeout for each in clients if each.timeout is not None), default=UNSAID)


def hold_for(clients: Collection[Clientele]) -> float:
    """Return the seconds for which these clients' writes may be held."""
    return max(_SHORTEST, min(LONGEST, patience_of(clients) * _SHARE))
