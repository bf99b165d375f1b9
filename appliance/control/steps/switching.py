"""From the point of no return to clients that write again."""

from __future__ import annotations

import trio

from appliance.control.steps.groups import take_late_commits
from appliance.control.steps.run import Run
from appliance.gateway.errors import ClusterUnreachable

MOVE_SECONDS = 60.0
LATE_SECONDS = 1.0
"""For commits that came while connections were closed; writes are held meanwhile."""
VERIFY_SECONDS = 30.0
LEADERS_EVERY = 0.1


async def switch(run: Run) -> None:
    """Make the target serve. Raises StateError before any change."""
    switchover = run.switchover
    if switchover.mode == "unplanned":
        await run.data_path.refresh()
        switchover.indeterminate = run.writes_in_flight()
    run.version = await run.signals.switch(switchover, run.maps)
    said = f"{switchover.target} serves {', '.join(switchover.virtual_clusters)}"
    if switchover.indeterminate:
        said += f"; {switchover.indeterminate} writes had no answer from {switchover.source}: they are indeterminate"
    switchover.say(said)


async def move(run: Run) -> None:
    """Lead clients away from the cluster that does not serve any more."""
    with trio.fail_after(MOVE_SECONDS):
        await run.in_effect()
        moved = 0
        for virtual_cluster in run.switchover.virtual_clusters:
            moved += await run.data_path.move_clients(virtual_cluster)
    said = f"{moved} connections moved"
    try:
        with trio.fail_after(LATE_SECONDS):
            late = await take_late_commits(run)
    except (ClusterUnreachable, trio.TooSlowError) as error:
        why = str(error) or f"not within {LATE_SECONDS:g}s"
        said += f"; late commits of groups could not be taken along: {why}"
    else:
        said += f"; late commits of {late} groups were taken along" if late else ""
    run.switchover.say(said)


async def verify(run: Run) -> None:
    """Wait until the target answers and every partition has a leader."""
    with trio.fail_after(VERIFY_SECONDS):
        async with run.data_path.cluster_client(run.target) as client:
            facts = await client.describe()
            while leaderless := await client.leaderless():
                run.switchover.say(f"{len(leaderless)} partitions have no leader yet")
                await trio.sleep(LEADERS_EVERY)
    run.switchover.say(f"cluster {facts.cluster_id}: {len(facts.brokers)} brokers, every partition has a leader")
