"""Ending many connections: node by node with a pause between.

Not all at once: librdkafka reports ALL_BROKERS_DOWN when every connection breaks together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import trio

from appliance.gateway.session import Ending, Session

_LOOK_SECONDS = 0.05


async def part(sessions: Iterable[Session], ending: Ending, pause: float) -> int:
    """End these sessions; return how many."""
    ended = 0
    for position, at_the_node in enumerate(_by_node(sessions)):
        if position:
            await trio.sleep(pause)
        for session in at_the_node:
            session.end(ending)
        ended += len(at_the_node)
    return ended


async def part_when_quiet(sessions: Iterable[Session], ending: Ending, pause: float, deadline: float) -> int:
    """End these sessions, each when its client waits for nothing that it could not ask again, or at the deadline (in
    trio's time); return how many."""
    ended = 0
    for position, at_the_node in enumerate(_by_node(sessions)):
        if position:
            await trio.sleep(min(pause, max(0.0, deadline - trio.current_time())))
        left = set(at_the_node)
        while left:
            ready = left if trio.current_time() >= deadline else {each for each in left if each.quiet}
            for session in ready:
                session.end(ending)
            left = left - ready
            if left:
                await trio.sleep(_LOOK_SECONDS)
        ended += len(at_the_node)
    return ended


def _by_node(sessions: Iterable[Session]) -> Iterator[list[Session]]:
    nodes: dict[tuple[str, int | None], list[Session]] = {}
    for session in sessions:
        nodes.setdefault((session.door.virtual_cluster, session.node_id), []).append(session)
    yield from nodes.values()
