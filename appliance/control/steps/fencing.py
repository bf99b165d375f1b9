"""The fence: held for a while, then refused, then it all has to be over."""

from __future__ import annotations

import trio

from appliance.control.steps.run import Run
from appliance.policies.connect.fence import OPEN, Fence


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
    """Open the fence."""
    run.set_fence(OPEN)
    run.switchover.say("writes flow")
