"""Wait until what replicates really carries the drill's topics: it is no drill before that."""

from __future__ import annotations

import trio

from appliance.drills.looking import look_at
from appliance.drills.stage import InconclusiveError, Stage

REPLICATION_SECONDS = 60.0
"""MirrorMaker 2 looks for new topics once a second, and takes some to start its tasks."""
_LOOK_SECONDS = 0.5


async def wait_replicated(stage: Stage) -> None:
    """Wait until the standby has every topic, and records of those that are written to at a rate.

    Raises InconclusiveError after REPLICATION_SECONDS.
    """
    section = stage.scenario.lab
    if section.replication is None:
        return
    target = stage.lab.clusters[section.replication.target]
    topics = [name for name in section.topics if section.replication.source in section.clusters_of(name)]
    written = {each.produce.topic for each in stage.running() if each.produce and not each.produce.idle}
    missing = list(topics)
    stage.progress.say(f"waiting for {', '.join(topics)} to be replicated to {target.name}")
    with trio.move_on_after(REPLICATION_SECONDS):
        while missing:
            seen = await look_at(target.bootstrap, topics)
            ends = seen.ends if seen is not None else {}
            missing = [each for each in topics if each not in ends or (each in written and not ends[each])]
            await trio.sleep(_LOOK_SECONDS if missing else 0)
        return
    raise InconclusiveError(f"nothing of {', '.join(missing)} came to {target.name} within {REPLICATION_SECONDS:g} s")
