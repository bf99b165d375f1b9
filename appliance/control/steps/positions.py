"""How the offsets of both clusters look to clients from the switch on: taken while both logs stand still."""

from __future__ import annotations

from appliance.control.steps.run import Run


async def take_positions(run: Run) -> None:
    """Take the maps of each virtual cluster. Raises ClusterUnreachable."""
    assert run.target_view is not None
    for name, taking in run.positions.items():
        run.maps[name] = await taking.take(run.source_view, run.target_view)
    run.switchover.say(run.switchover.detail or "positions are taken along")
