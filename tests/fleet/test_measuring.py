"""What workers measure is one picture, and does not shrink when one of them dies."""

from __future__ import annotations

import os
import signal

from tests.fleet.scene import scene

OPAQUE = ("orders", "ListGroups")
DOOR = ("orders", "orders")


async def test_workers_are_measured_together_and_the_dead_are_not_forgotten():
    async with scene(2) as here:
        await here.link_through(1)
        await here.link_through(2)
        before = await here.fleet.measures()
        requests = dict(before.requests)[OPAQUE]
        assert requests >= 2
        assert dict(before.open)[DOOR] == 2
        assert sum(each.connections for each in here.fleet.workers()) == 2
        assert all(each.silence < 20 for each in here.fleet.workers())
        os.kill(here.worker(1).process.pid, signal.SIGKILL)
        await here.until_replaced(1)
        after = await here.fleet.measures()
        assert dict(after.requests)[OPAQUE] == requests
        assert dict(after.accepted)[DOOR] == dict(before.accepted)[DOOR]
        assert dict(after.open)[DOOR] == 1, "the connections of the dead are gone"
        await here.link_through(1)
        assert dict((await here.fleet.measures()).requests)[OPAQUE] > requests
