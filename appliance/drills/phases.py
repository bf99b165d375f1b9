"""The phases of a run while its parts are up: preflight, baseline, run, heal, settle, final read."""

from __future__ import annotations

import math

import trio

from appliance.drills.crew import start_clients, tell_troubles
from appliance.drills.faulting import rehearse
from appliance.drills.final_read import FinalReadError, LogRead, read_log
from appliance.drills.lab_acting import bring_back
from appliance.drills.ledger import Stored
from appliance.drills.scenario.traffic import BASELINE
from appliance.drills.stage import InconclusiveError, Stage
from appliance.drills.steady_state import Stretch, probe
from appliance.drills.steps import play
from appliance.drills.traffic.fleet import ClientsDidNotConnectError
from appliance.journal.events import FinalRead, SteadyStateChecked
from appliance.lab import LabError
from appliance.remote.errors import RemoteError

DRAIN_SECONDS = 30.0
"""For producers to flush, and again for consumers to reach the end."""
HASTY_DRAIN_SECONDS = 5.0
"""The same when somebody wants to leave."""
FINAL_READ_SECONDS = 60.0
BASELINE_STRETCHES = 3
"""So often traffic is watched before the drill is given up: clients that have just begun may not be up to speed."""


async def rehearse_faults(stage: Stage) -> None:
    """Let the gateway judge every fault of the scenario before anything is disturbed. Raises InconclusiveError."""
    refusals = [(step.id, refusal) for step in stage.scenario.steps if (refusal := await rehearse(stage, step))]
    if refusals:
        listed = "; ".join(f"{step}: {refusal}" for step, refusal in refusals)
        raise InconclusiveError(f"the gateway refuses faults of this scenario: {listed}")


async def connect(stage: Stage) -> None:
    """Start the clients of the baseline and wait until all have work. Raises InconclusiveError."""
    try:
        await start_clients(stage, BASELINE)
    except ClientsDidNotConnectError as error:
        raise InconclusiveError(str(error)) from error
    await _wait_first_successes(stage)


async def baseline(stage: Stage) -> None:
    """Watch undisturbed traffic until the steady state holds. Raises InconclusiveError where it does not come about."""
    for left in reversed(range(BASELINE_STRETCHES)):
        failed = "; ".join(await _watch_steady_state(stage, "before", stage.scenario.baseline))
        if not failed:
            return
        if left:
            stage.progress.say(f"the steady state does not hold yet: {failed}")
    raise InconclusiveError(f"the steady state does not hold before the drill: {failed}")


async def run(stage: Stage) -> None:
    """Play the steps."""
    await play(stage)


async def heal(stage: Stage) -> list[str]:
    """Undo whatever the steps did, in reverse order; return what could not be undone."""
    return await stage.healing.heal(lambda text: stage.progress.say(f"healing: {text}"))


async def settle(stage: Stage, *, hasty: bool) -> None:
    """Let traffic flow undisturbed, check the steady state again, then wind the clients up."""
    if not hasty:
        failed = await _watch_steady_state(stage, "after", stage.scenario.settle)
        if failed:
            stage.progress.say(f"the steady state does not hold after the drill: {'; '.join(failed)}")
    stage.winding_up = True
    stage.progress.say("producers flush, consumers read to the end")
    await stage.fleet.settle(HASTY_DRAIN_SECONDS if hasty else DRAIN_SECONDS)
    tell_troubles(stage)
    for client, leftover in stage.fleet.leftovers().items():
        stage.note(f"{client}: {leftover}")


async def read_finally(stage: Stage) -> list[Stored]:
    """Read every cluster's log directly. Raises FinalReadError if the serving cluster's cannot be read."""
    stored: list[Stored] = []
    serving = stage.serving
    for name, cluster in stage.lab.clusters.items():
        stage.progress.say(f"reading the log of {name} to its end")
        try:
            if name == serving:
                await bring_back(stage, cluster)
            read = await read_log(
                cluster=name,
                bootstrap=",".join(cluster.bootstrap),
                topics=list(stage.scenario.lab.topics),
                run=stage.site.run,
                clock=stage.clock,
                seconds=FINAL_READ_SECONDS,
            )
        except (FinalReadError, LabError) as error:
            if name == serving:
                raise
            stage.note(f"the log of {name}, which does not serve, could not be read: {error}")
            continue
        _record_read(stage, read)
        stored += read.stored
    return stored


async def serving_cluster(stage: Stage) -> str:
    """Return the cluster that serves the virtual cluster now: as the gateway says, or as was known last."""
    try:
        status = await stage.gateway.api.status()
    except RemoteError as error:
        stage.note(f"the gateway does not say which cluster serves, so the last one known counts: {error}")
        return stage.serving
    return next((each.serving for each in status.virtual_clusters if each.name == stage.virtual_cluster), stage.serving)


def _record_read(stage: Stage, read: LogRead) -> None:
    for each in read.partitions:
        stage.record.add(
            FinalRead(
                at=stage.clock(),
                cluster=read.cluster,
                topic=each.topic,
                partition=each.partition,
                records=each.records,
                start_offset=each.start_offset,
                end_offset=each.end_offset,
            )
        )


async def _wait_first_successes(stage: Stage) -> None:
    """Wait until all clients have done something: a group takes a while to form, which is not a gap."""
    with trio.move_on_after(DRAIN_SECONDS):
        while idle := _without_success(stage):
            stage.progress.say(f"waiting for the first records of {', '.join(idle)}")
            await trio.sleep(1.0)
        return
    raise InconclusiveError(
        f"no record was acknowledged to, or delivered to, {', '.join(_without_success(stage))} "
        f"within {DRAIN_SECONDS:g} s"
    )


def _without_success(stage: Stage) -> list[str]:
    """Return the clients that have had no success yet, of those of which one is expected."""
    tallies = stage.logbook.tallies
    names = [each.name for each in stage.fleet.clients]
    return [name for name in names if not tallies[name].successes and tallies[name].gap_limit != math.inf]


async def _watch_steady_state(stage: Stage, when: str, seconds: float) -> list[str]:
    start = stage.clock()
    await trio.sleep(seconds)
    stretch = Stretch(stage.logbook, start, stage.clock())
    failed = []
    for check in stage.scenario.steady_state:
        finding = probe(check, stretch, stage.running())
        stage.record.add(
            SteadyStateChecked(
                at=stage.clock(),
                name=check.name,
                when="before" if when == "before" else "after",
                target=check.target,
                measured=finding.measured,
                ok=finding.ok,
            )
        )
        if not finding.ok:
            failed.append(f"{check.name} is {finding.measured}, wanted {check.target}")
    return failed
