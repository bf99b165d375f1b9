"""A switchover as a step: asked for through the API, followed by its history."""

from __future__ import annotations

import trio

from appliance.drills.scenario.steps import Switchover
from appliance.drills.stage import DrillAbortedError, Stage
from appliance.journal.events import SwitchoverProgressed
from appliance.remote.answers import SwitchoverAnswer

_LOOK_SECONDS = 0.1
_LONGEST_SECONDS = 120.0
"""Beyond any hold that the API takes for a drain; then something is stuck."""


async def switch(stage: Stage, plan: Switchover) -> str:
    """Do a switchover and wait until it is over; return what it said last.

    Raises DrillAbortedError where it does not succeed: what is behind it in the scenario has lost its ground.
    """
    stage.disrupted()
    if plan.mode == "unplanned":
        _owe_the_end_of_replication(stage)
    asked = stage.clock()
    api, name = stage.gateway.api, stage.virtual_cluster
    answer = await api.start_switchover(name, plan.to, mode=plan.mode, hold=plan.hold)
    told = 0
    with trio.move_on_after(_LONGEST_SECONDS):
        while True:
            told = _tell(stage, answer, told, asked)
            if answer.over:
                break
            await trio.sleep(_LOOK_SECONDS)
            answer = await api.switchover(name)
    if answer.state != "done":
        raise DrillAbortedError(f"the switchover to {plan.to} ended as {answer.state}: {answer.detail}")
    stage.serving = plan.to
    return answer.detail


def _tell(stage: Stage, answer: SwitchoverAnswer, told: int, asked: float) -> int:
    """Record the states that are behind it, for the detail of the one that it is in still changes.

    Times are the gateway's own, counted from when it was asked.
    """
    settled = answer.history if answer.over else answer.history[:-1]
    for transition in settled[told:]:
        stage.record.add(
            SwitchoverProgressed(
                at=round(asked + transition.seconds, 6),
                virtual_cluster=answer.virtual_cluster,
                state=transition.state,
                detail=transition.detail,
            )
        )
    return len(settled)


def _owe_the_end_of_replication(stage: Stage) -> None:
    """After an unplanned switchover the lost side must not be copied from again.

    Healing starts it again, so that its log can be read; a replication that came back with it would carry the
    stranded records over behind the new ones, which hides a loss and is in nobody's recovery plan.
    """
    if stage.lab.replication is not None:

        async def stop() -> None:
            if stage.lab.replicating:
                await stage.lab.stop_replication(kill=True)
                stage.note("replication was stopped before healing: it would have carried stranded records over")

        stage.healing.owe("replication", "keeping replication stopped", stop)
