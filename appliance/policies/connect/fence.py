"""The fence of a switchover: what becomes of writes while no cluster may take them. Data alone, so that it can be
handed to whoever makes the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.exchange.interceptor import Interceptor
from appliance.policies.connect.refused_writes import RefusedWrites

FenceState = Literal["open", "ending", "held", "refused"]


@dataclass(frozen=True)
class Fence:
    """`open`: writes flow. `ending`: transactions that are open may go on to their end, others do not begin; all other
    writes flow. `held`: writes wait unread at the gateway (`Route.fenced`). `refused`: writes are answered with an
    error that makes clients try again."""

    state: FenceState = "open"
    transactions: frozenset[str] = frozenset()
    """The transactional ids that may go on while it is `ending`."""
    newcomers: Literal["served", "wait"] = "served"
    """`wait`: clients that connect now are served when the fence is gone, and until then not at all. Between the switch
    and the end of the fence: a cluster that does not know a producer takes any sequence number for its first, so what
    is held must not be held on two connections of one client, to the door of a node that it knew and to that of the
    new leader, of which either may be let go first."""


OPEN = Fence()


def fence_interceptors(
    fence: Fence, last: tuple[Fence, tuple[Interceptor, ...]] | None = None
) -> tuple[Interceptor, ...]:
    """Return what a fence puts in front of a route's own interceptors.

    `last`: the fence that it follows, with its own. Where more transactions may end than before they stay the same:
    they remember what has ended, and let go on what waits.
    """
    match fence.state, last:
        case "ending", (Fence("ending", known), (RefusedWrites() as ending,)) if known <= fence.transactions:
            ending.let_go_on(fence.transactions - known)
            return (ending,)
        case "ending", _:
            return (RefusedWrites(open_transactions=fence.transactions),)
        case "refused", _:
            return (RefusedWrites(),)
        case _:
            return ()
