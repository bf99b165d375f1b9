"""Several actions at once, whose first failure is raised plain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import trio

from appliance.lab.errors import LabError


async def together(actions: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Run actions concurrently. The first LabError cancels the others and is raised itself, in no exception group."""
    failures: list[LabError] = []

    async def run(action: Callable[[], Awaitable[object]]) -> None:
        try:
            await action()
        except LabError as error:
            failures.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for action in actions:
            nursery.start_soon(run, action)
    if failures:
        raise failures[0]
