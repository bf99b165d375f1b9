"""`tidegate switchover`: start one and follow it."""

from __future__ import annotations

from typing import Annotated

import trio
import typer

from appliance.cli.connection import DEFAULT_API, ApiOption, TokenFileOption, ask
from appliance.cli.endings import FAILED, BadInputError
from appliance.cli.terminal import err, out
from appliance.remote.answers import SwitchoverAnswer, SwitchoverPlan, Transition
from appliance.remote.client import ControlApi
from appliance.resources.units import parse_duration

POLL_SECONDS = 0.1


def switchover(
    virtual_cluster: Annotated[str, typer.Argument(help="The virtual cluster to switch.")],
    to: Annotated[str, typer.Option("--to", metavar="CLUSTER", help="The cluster that is to serve it.")],
    unplanned: Annotated[
        bool, typer.Option("--unplanned", help="The source is gone: do not drain, do not even ask it.")
    ] = False,
    hold: Annotated[
        str, typer.Option("--hold", help="How long writes may be held, below the clients' timeouts.")
    ] = "20s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Preflight only: show the plan, change nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for its end.")] = False,
    leave_records_behind: Annotated[
        bool, typer.Option(help="Switch though replication cannot be measured; what is not replicated stays behind.")
    ] = False,
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Switch a virtual cluster to another cluster while its clients are connected."""
    try:
        seconds = parse_duration(hold)
    except ValueError as error:
        raise BadInputError(f"--hold: {error}") from None

    async def run(connection: ControlApi) -> SwitchoverAnswer:
        started = await connection.start_switchover(
            virtual_cluster,
            to,
            mode="unplanned" if unplanned else "planned",
            hold=seconds,
            dry_run=dry_run,
            leave_records_behind=leave_records_behind,
        )
        return started if no_wait else await _follow(connection, started)

    try:
        end = ask(api, token_file, run)
    except KeyboardInterrupt:
        err().print(
            f"the switchover goes on; `tidegate get virtualcluster {virtual_cluster}` and `tidegate status` tell"
        )
        raise
    if end.plan is not None and end.plan.notes:
        for note in end.plan.notes:
            err().print(f"note: {note}")
    if dry_run and end.plan is not None:
        _print_plan(end.plan)
    if no_wait:
        out().print(f"started: {end.virtual_cluster} from {end.source} to {end.target}")
    elif end.state != "done":
        raise typer.Exit(FAILED)


async def _follow(connection: ControlApi, answer: SwitchoverAnswer) -> SwitchoverAnswer:
    """Print each state when it is left: its detail is final then."""
    printed = 0
    with out().status("") as spinner:
        while True:
            complete = len(answer.history) if answer.over else len(answer.history) - 1
            for transition in answer.history[printed:complete]:
                spinner.console.print(_line(transition))
            printed = complete
            if answer.over:
                return answer
            spinner.update(f"{answer.state} {answer.detail}")
            await trio.sleep(POLL_SECONDS)
            answer = await connection.switchover(answer.virtual_cluster)


def _line(transition: Transition) -> str:
    return f"{transition.seconds:8.2f}s  {transition.state:<11}  {transition.detail}".rstrip()


def _print_plan(plan: SwitchoverPlan) -> None:
    lag = "not measured" if plan.lag is None else f"{plan.lag} records"
    out().print(
        f"plan: {plan.source} -> {plan.target}, {plan.topics} topics, {plan.partitions} partitions, "
        f"{plan.connections} connections to move, lag {lag}"
    )
    for problem in plan.problems:
        out().print(f"problem: {problem}")
