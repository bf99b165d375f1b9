"""The fence: held for a while, then refused, then it all has to be over."""

from __future__ import annotations

from dataclasses import replace

import trio

from appliance.control.steps.run import Run
from appliance.policies.connect.fence import OPEN, Fence

OVERDUE_SECONDS = 1.0
"""How long clients that connect wait for what was held; longer than it takes, and less than they wait for anything."""


async def hold_writes(run: Run) -> None:
    """Hold writes from now on; after the hold they are refused (`refuse_when_due`), after that it is rolled back."""
    order = run.switchover.order
    now = trio.current_time()
    run.refuse_at = now + run.hold if order.refuse else run.refuse_at
    run.limit.deadline = now + run.hold + order.refuse
    run.set_fence(Fence("held"))
    run.held.set()
    await run.in_effect()  # only then can a count of writes under way say that no more will come
    run.switchover.say(f"writes are held, for {run.hold:.3g}s at the most")


async def refuse_when_due(run: Run) -> None:
    """Turn the fence from holding to refusing when the hold is over; runs beside the steps before the switch."""
    await run.held.wait()
    await trio.sleep_until(run.refuse_at)
    if run.fence.state == "held":
        run.set_fence(Fence("refused"))


def holding(run: Run) -> Fence:
    """Return the fence that keeps writes out now: held, or refused where the hold is over."""
    return Fence("refused" if trio.current_time() >= run.refuse_at else "held")


async def let_writes_flow(run: Run) -> None:
    """Open the fence: first for the writes that it held. A client may come back on another connection meanwhile, and
    what it writes there is behind those."""
    await run.data_path.refresh()
    if run.overdue_writes():
        run.set_fence(replace(OPEN, newcomers="wait"))
        await run.in_effect()
        with trio.move_on_after(OVERDUE_SECONDS):
            await run.until_none(run.overdue_writes, "held writes of {} connections are being written")
    run.set_fence(OPEN)
    run.switchover.say("writes flow")
