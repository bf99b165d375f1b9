"""Run a drill: from a scenario to a summary and a report, whatever happens in between.

    preflight      lab and gateway up, topics there, faults legal, clients connected, replication flowing
    baseline       steady state watched and checked: without it no fault is armed
    run            the steps
    heal           always, also on Ctrl-C, errors and aborts
    settle         undisturbed traffic, steady state again, then producers flush and consumers read to the end
    final read     both clusters, directly
    judge, report  from the files alone

Judging comes after the journal's last line, for the summary names the journal's head.
"""

from __future__ import annotations

from pathlib import Path

import trio

from appliance.drills.concluding import conclude
from appliance.drills.interruption import Interruption
from appliance.drills.playing import Run
from appliance.drills.record import RunClock
from appliance.drills.run_directory import make_run_directory
from appliance.drills.scenario import Scenario
from appliance.drills.watching import Progress, Silence
from appliance.journal.events import Security
from appliance.lab import Choice, Lab
from appliance.report.summary import Summary


async def run_drill(
    scenario: Scenario,
    text: str,
    *,
    lab_kind: Choice = "auto",
    lab: Lab | None = None,
    out: Path,
    seed: int | None = None,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
    workers: int = 1,
    security: Security = "none",
) -> Summary:
    """Run a scenario and return its verdict; all files are in `out/<scenario>/<start>/` then.

    `text` is the scenario's source, whose SHA-256 names it. `lab` is one that runs already and goes on running
    afterwards (its clusters are the scenario's); otherwise one of `lab_kind` is opened and ended. `workers` is in how
    many processes the gateway serves, `security` how the clients come to it. Whatever happens to the drill is in the
    summary; raises only OSError for the run's own files.
    """
    clock = RunClock()
    directory = make_run_directory(out, scenario.name, clock.started)
    directory.scenario.write_bytes(text.encode())
    watcher = Silence() if progress is None else progress
    watcher.writes_to(directory.path)
    run = Run(
        scenario,
        seed=scenario.seed if seed is None else seed,
        clock=clock,
        directory=directory,
        progress=watcher,
        interruption=Interruption() if interruption is None else interruption,
        workers=workers,
        security=security,
    )
    ending = await run.play(lab, lab_kind)
    run.close(ending, lab_kind)
    watcher.say("judging, and writing the report")
    return await trio.to_thread.run_sync(conclude, run.scenario, directory, run.surviving)
