"""The drain: writes under way get their answers, and the target gets what the source has."""

from __future__ import annotations

import trio

from appliance.control.replication import Ends, in_words, lagging, total
from appliance.control.steps.fencing import holding
from appliance.control.steps.run import Run
from appliance.control.steps.transactions import settle

LAG_EVERY = 0.1


async def drain(run: Run) -> None:
    """Wait until nothing is owed to clients, and then until the target lacks nothing. Raises ClusterUnreachable."""
    run.started = trio.current_time()
    await _answers(run)
    await _stragglers(run)
    answered = trio.current_time() - run.started
    if run.gauge is None:
        run.switchover.say(f"all writes answered after {answered:.2f}s; replication not measured")
        return
    await _replication(run)
    caught_up = trio.current_time() - run.started
    run.switchover.say(
        f"all writes answered after {answered:.2f}s, "
        f"{run.found.plan.partitions} partitions caught up after {caught_up:.2f}s"
    )


async def _answers(run: Run) -> None:
    """An acknowledgement that is under way counts: its record is on the source, and has to be replicated."""
    await run.until_none(run.writes_in_flight, "{} writes without an answer")


async def _stragglers(run: Run) -> None:
    """A transaction that began while the fence came down was not seen before: it too has to end."""
    if run.switchover.order.leave_transactions:
        return
    while run.found.transactions_known and (left := await run.both[0].open_transactions()):
        await settle(run, left)
        run.set_fence(holding(run))
        await run.in_effect()
        await _answers(run)


async def _replication(run: Run) -> None:
    assert run.gauge is not None
    switchover, (source, target), topics = run.switchover, run.both, run.found.topics
    run.ends = await Ends.of(source, topics)
    while True:
        switchover.lag = lagging(await run.gauge.measure(run.ends, source, target, topics))
        if not switchover.lag:
            return
        switchover.say(f"{total(switchover.lag)} records to replicate: {in_words(switchover.lag)}")
        await trio.sleep(LAG_EVERY)
