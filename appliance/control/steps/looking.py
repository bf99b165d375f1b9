"""Preflight: is it possible, and what would move?"""

from __future__ import annotations

from dataclasses import replace

from appliance.control.holding import hold_for, patience_of
from appliance.control.plan import Finding
from appliance.control.preflight import Patience, preflight
from appliance.control.steps.run import Run


async def look(run: Run) -> None:
    """Ask both clusters; end the switchover here where it may not take place, or where only the plan was wanted."""
    switchover = run.switchover
    assert run.target_view is not None
    await run.data_path.refresh()
    clients, asked = run.clients(), switchover.order.hold
    run.hold = hold_for(clients) if asked is None else asked
    patience = Patience(run.hold, patience_of(clients))
    run.findings = await preflight(
        switchover, run.source_view, run.target_view, run.gauge, run.parts(), patience, run.without
    )
    switchover.plan = plan = run.findings.plan
    if not plan.problems and (
        switchover.mode == "planned" or switchover.dry_run
    ):  # else nobody has the time to read it
        switchover.plan = plan = replace(plan, findings=(*plan.findings, *await _about_positions(run)))
    if plan.problems:
        switchover.enter("rolled-back", f"preflight: {'; '.join(plan.problems)}; nothing was changed")
        return
    switchover.say(f"{plan.topics} topics, {plan.partitions} partitions, {plan.connections} connections")
    if switchover.dry_run:
        switchover.enter("done", "dry run: nothing was changed")


async def _about_positions(run: Run) -> list[Finding]:
    """Say how groups and offsets would come over if the switch were made now."""
    assert run.target_view is not None
    return [
        Finding(
            "warns",
            f"virtual cluster {name}",
            "positions that come over as they are",
            remark,
            "what is behind is read again; `offsets` and `positions` of the virtual cluster decide about the rest",
        )
        for name, taking in run.positions.items()
        for remark in await taking.remarks(run.source_view, run.target_view)
    ]
