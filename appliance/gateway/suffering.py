"""What a client feels of a cluster that is unreachable by decree: its upstream connection is closed already."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio

from appliance.exchange.interceptor import Outage
from appliance.gateway.channel import Channel, PlainChannel
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.session import Session
from appliance.gateway.sockets import reset


async def suffer(session: Session, outage: Outage, feed: SnapshotFeed, still: Callable[[], bool]) -> None:
    """Refuse, cut or silence the session as the outage says; return when its connection is to be closed.

    `still` tells whether the outage goes on; a silenced session can be moved or removed meanwhile.
    """
    outage.struck(session.client_id)
    if outage.mode == "reset":
        reset(session.sock)
    elif outage.mode == "blackhole":
        with trio.CancelScope() as session.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_over, feed, still, nursery.cancel_scope)
                await _swallow(session.channel or PlainChannel(session.sock))
                nursery.cancel_scope.cancel()


async def _until_over(feed: SnapshotFeed, still: Callable[[], bool], scope: trio.CancelScope) -> None:
    await feed.until(lambda: not still())
    scope.cancel()


async def _swallow(channel: Channel) -> None:
    """Read and forget until the client gives up."""
    sink = memoryview(bytearray(65536))
    with suppress(OSError):
        while (count := channel.receive(sink)) != 0:
            if count is None:
                await trio.lowlevel.wait_readable(channel.fileno())
            else:
                await trio.lowlevel.checkpoint()
