"""Positions: how the target's offsets look to clients from the switch on. Taken while both logs stand still, so behind
the drain, and the last thing before the point of no return."""

from __future__ import annotations

from appliance.control.steps.run import Run


async def take_positions(run: Run) -> None:
    """Take the maps of each virtual cluster; they are written down and published with the switch. Raises
    ClusterUnreachable. A source that is lost is not asked."""
    assert run.target_view is not None
    for name, taking in run.positions.items():
        run.maps[name] = await taking.take(run.source_view, run.target_view)
    run.switchover.say(f"taken for {', '.join(run.positions)}" if run.positions else "there are none to take")
