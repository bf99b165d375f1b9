"""Preflight: is it possible, and what would move?"""

from __future__ import annotations

from appliance.control.preflight import preflight
from appliance.control.steps.run import Run


async def look(run: Run) -> None:
    """Ask both clusters; end the switchover here where it may not take place, or where only the plan was wanted."""
    switchover = run.switchover
    assert run.target_view is not None
    await run.data_path.refresh()
    run.findings = await preflight(switchover, run.source_view, run.target_view, run.gauge, run.parts(), run.without)
    switchover.plan = plan = run.findings.plan
    if plan.problems:
        switchover.enter("rolled-back", f"preflight: {'; '.join(plan.problems)}; nothing was changed")
        return
    for taking in run.positions.values():
        remarks = await taking.remarks(run.source_view, run.target_view)
        switchover.plan = plan = plan.with_remarks(remarks)
    switchover.say(f"{plan.topics} topics, {plan.partitions} partitions, {plan.connections} connections")
    if switchover.dry_run:
        switchover.enter("done", "dry run: nothing was changed")
