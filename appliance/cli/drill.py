"""`tidegate drill`: run a scenario, or only check it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import trio
import typer
from rich.console import Console

from appliance.cli.drill_progress import Screen, screen_for
from appliance.cli.drill_result import show_result
from appliance.drills.interruption import Interruption
from appliance.drills.runner import run_drill
from appliance.drills.scenario import Scenario, load_scenario
from appliance.journal.events import Security
from appliance.lab import Choice
from appliance.report.summary import ExitCode, Summary
from appliance.resources.documents import Invalid

app = typer.Typer(add_completion=False, help="Rehearse a disaster: run a scenario and judge it.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="The scenario's YAML file.", metavar="FILE", show_default=False)]
_Files = Annotated[list[Path], typer.Argument(help="Scenarios' YAML files.", metavar="FILE...", show_default=False)]
_Lab = Annotated[Choice, typer.Option(help="auto: apache, or embedded where Kafka's jars cannot be had.")]
_Out = Annotated[Path, typer.Option(help="Where runs are kept: DIR/<scenario>/<start>/.", metavar="DIR")]
_Workers = Annotated[int, typer.Option(help="Processes that the gateway serves in.", metavar="N", min=1)]
_Security = Annotated[
    Security, typer.Option(help="How the clients come in; tls-scram: over TLS, each with a password of the run.")
]
_Seed = Annotated[int | None, typer.Option(help="Replaces the scenario's seed.", show_default=False)]


@app.command()
def run(
    file: _File,
    lab: _Lab = "auto",
    out: _Out = Path("reports/out"),
    seed: _Seed = None,
    workers: _Workers = 1,
    security: _Security = "none",
) -> None:
    """Run a scenario on a lab of its own, judge it, write the report.

    Ends with 0 if it passed, 1 if an objective was missed, 2 for an invalid scenario, 3 if it proves nothing,
    4 if it was aborted, 5 for an error of the tools, 130 if it was interrupted.
    """
    console = Console(highlight=False)
    scenario, text = _load(file)
    screen = screen_for(console, scenario.title)
    with screen:
        summary = trio.run(_run, scenario, text, lab, out, seed, workers, security, screen)
    show_result(console, summary, screen.directory, file)
    raise typer.Exit(summary.exit_code)


@app.command()
def check(files: _Files) -> None:
    """Check scenarios and list all that is wrong with them. Nothing is started."""
    invalid = 0
    for file in files:
        try:
            scenario, _ = load_scenario(file)
        except Invalid as error:
            invalid += 1
            typer.echo(str(error), err=True)
        else:
            typer.echo(
                f"{file}: {scenario.name} is valid: {len(scenario.steps)} steps, "
                f"{len(scenario.traffic)} clients, {len(scenario.objectives)} objectives"
            )
    raise typer.Exit(ExitCode.INVALID if invalid else ExitCode.PASS)


def _load(file: Path) -> tuple[Scenario, str]:
    try:
        return load_scenario(file)
    except Invalid as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.INVALID) from None


async def _run(
    scenario: Scenario,
    text: str,
    lab: Choice,
    out: Path,
    seed: int | None,
    workers: int,
    security: Security,
    screen: Screen,
) -> Summary:
    interruption = Interruption()
    async with trio.open_nursery() as nursery:
        await nursery.start(_listen, interruption, screen)
        summary = await run_drill(
            scenario,
            text,
            lab_kind=lab,
            out=out,
            seed=seed,
            progress=screen,
            interruption=interruption,
            workers=workers,
            security=security,
        )
        nursery.cancel_scope.cancel()
    return summary


async def _listen(
    interruption: Interruption, screen: Screen, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Turn signals into requests to end: healing and judging come first."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            again = " (again: the logs will not be read)" if interruption.reason else ""
            screen.say(f"{signal.Signals(number).name}: healing before it ends{again}")
            interruption.request(signal.Signals(number).name)
