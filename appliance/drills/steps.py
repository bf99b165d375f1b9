"""Play the steps of a scenario, one after the other."""

from __future__ import annotations

import trio

from appliance.drills.crew import start_clients, unsettled
from appliance.drills.faulting import arm, describe, end, hold
from appliance.drills.lab_acting import act
from appliance.drills.recovery import STABLE_SECONDS
from appliance.drills.scenario.steps import FaultAction, Observe, Step, Turns
from appliance.drills.stage import DrillAbortedError, Stage
from appliance.drills.switching import switch
from appliance.drills.traffic.fleet import ClientsDidNotConnectError
from appliance.journal.events import StepEnded, StepStarted
from appliance.resources.units import format_duration

_LOOK_SECONDS = 0.2


async def play(stage: Stage) -> None:
    """Play all steps; faults that still go on in the background after the last one are left to healing.

    Raises DrillAbortedError where the drill cannot go on, RemoteError and LabError where a tool fails.
    """
    async with trio.open_nursery() as nursery:
        for step in stage.scenario.steps:
            await _prepare(stage, step)
            if step.background:
                assert step.fault is not None, "the model lets only faults last in the background"
                await _begin_fault(stage, step.id, step.fault)
                nursery.start_soon(_finish_fault, stage, step.id, step.fault)
            else:
                await _play_one(stage, step)
        stage.steps_over = True
        nursery.cancel_scope.cancel()


async def _prepare(stage: Stage, step: Step) -> None:
    if not stage.gateway.alive:
        raise DrillAbortedError(f"the gateway ended by itself before the step {step.id}; see logs/gateway.log")
    try:
        await start_clients(stage, step.id)
    except ClientsDidNotConnectError as error:
        raise DrillAbortedError(f"step {step.id}: {error}") from error
    stage.record.add(StepStarted(at=stage.clock(), step=step.id, action=describe_step(step)))


async def _play_one(stage: Stage, step: Step) -> None:
    try:
        ok, detail = await _do(stage, step)
    except trio.Cancelled:
        stage.record.add(StepEnded(at=stage.clock(), step=step.id, ok=False, detail="cut short"))
        raise
    except Exception as error:
        stage.record.add(StepEnded(at=stage.clock(), step=step.id, ok=False, detail=str(error)))
        raise
    stage.record.add(StepEnded(at=stage.clock(), step=step.id, ok=ok, detail=detail))


async def _do(stage: Stage, step: Step) -> tuple[bool, str]:
    """Do what the step says; return whether it came out, and what to say of it."""
    if step.fault is not None:
        await arm(stage, step.id, step.fault)
        await hold(stage, step.id, step.fault.duration)
        await end(stage, step.id)
    elif step.switchover is not None:
        return True, await switch(stage, step.switchover)
    elif step.lab is not None:
        await act(stage, step.lab)
    elif step.turns is not None:
        await _take_turns(stage, step.turns)
    elif step.observe is not None:
        return await _observe(stage, step.observe)
    else:
        await trio.sleep(step.wait or 0.0)
    return True, ""


async def _begin_fault(stage: Stage, step: str, action: FaultAction) -> None:
    try:
        await arm(stage, step, action)
    except Exception as error:
        stage.record.add(StepEnded(at=stage.clock(), step=step, ok=False, detail=str(error)))
        raise


async def _finish_fault(stage: Stage, step: str, action: FaultAction) -> None:
    try:
        await hold(stage, step, action.duration)
        await end(stage, step)
    except trio.Cancelled:
        detail = "ended with the last step" if stage.steps_over else "cut short"
        stage.record.add(StepEnded(at=stage.clock(), step=step, ok=stage.steps_over, detail=detail))
        raise
    stage.record.add(StepEnded(at=stage.clock(), step=step, ok=True))


async def _take_turns(stage: Stage, turns: Turns) -> None:
    for _ in range(turns.records):
        for client in turns.clients:
            await stage.fleet.take_turn(client, turns.partition)


async def _observe(stage: Stage, observe: Observe) -> tuple[bool, str]:
    if observe.until is None:
        await trio.sleep(observe.longest)
        return True, ""
    with trio.move_on_after(observe.longest):
        # What came before may not have reached the clients yet: that they were stable until now proves nothing.
        await trio.sleep(STABLE_SECONDS)
        while unsettled(stage):  # noqa: ASYNC110 - clients' threads decide it
            await trio.sleep(_LOOK_SECONDS)
        return True, "all clients are stable"
    left = ", ".join(unsettled(stage))
    return False, f"not stable within {format_duration(observe.longest)}: {left}"


def describe_step(step: Step) -> str:
    """Return what the step does, for people."""
    if step.fault is not None:
        return f"fault: {describe(step.fault)}" + (", in the background" if step.background else "")
    if step.switchover is not None:
        return f"{step.switchover.mode} switchover to {step.switchover.to}"
    if step.lab is not None:
        where = f" {step.lab.cluster}" if step.lab.cluster else ""
        nodes = f", brokers {', '.join(map(str, step.lab.brokers))}" if step.lab.brokers else ""
        return f"lab: {step.lab.verb}{where}{nodes}"
    if step.turns is not None:
        return f"{', '.join(step.turns.clients)} write {step.turns.records} records each, in turn"
    if step.observe is not None:
        longest = format_duration(step.observe.longest)
        return f"observe until stable, at most {longest}" if step.observe.until else f"observe for {longest}"
    return f"wait {format_duration(step.wait or 0.0)}"
