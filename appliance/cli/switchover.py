"""`tidegate switchover`: start one and follow it; `history`, `cancel`, `continue`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import trio
import typer

from appliance.cli.connection import DEFAULT_API, ApiOption, TokenFileOption, ask
from appliance.cli.endings import FAILED, BadInputError, Commands
from appliance.cli.switchover_plan import print_plan
from appliance.cli.terminal import err, out, table
from appliance.remote.answers import SwitchoverAnswer, SwitchoverRequest, Transition
from appliance.remote.client import ControlApi
from appliance.resources.units import parse_duration

POLL_SECONDS = 0.1
_START = "start"


class _StartByDefault(Commands):
    """`tidegate switchover orders --to standby` starts one: what is no other command belongs to `start`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = [_START, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_StartByDefault,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Switch virtual clusters to another cluster while their clients are connected. "
    "`tidegate switchover NAME --to CLUSTER` is short for `start`.",
)


@app.command(_START)
def start(
    to: Annotated[str, typer.Option("--to", metavar="CLUSTER", help="The cluster that is to serve.")],
    virtual_cluster: Annotated[str | None, typer.Argument(help="The virtual cluster to switch.")] = None,
    all_of: Annotated[
        str | None,
        typer.Option("--all-of", metavar="CLUSTER", help="Instead of one: all that this cluster serves, or none."),
    ] = None,
    unplanned: Annotated[
        bool, typer.Option("--unplanned", help="The source is gone: do not drain, do not even ask it.")
    ] = False,
    hold: Annotated[
        str | None,
        typer.Option("--hold", help="How long writes may be held; by itself below the clients' request timeouts."),
    ] = None,
    refuse: Annotated[
        str,
        typer.Option("--refuse", help="How long they are then refused with a retriable error before the roll-back."),
    ] = "40s",
    finish_transactions: Annotated[
        str, typer.Option("--finish-transactions", help="How long open transactions have before they are aborted.")
    ] = "5s",
    leave_transactions: Annotated[
        bool, typer.Option("--leave-transactions", help="Do not abort those: they may be others' on the same cluster.")
    ] = False,
    sync_groups: Annotated[
        str, typer.Option("--sync-groups", help="How long the groups' offsets are waited for on the target.")
    ] = "5s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Preflight only: show the plan, change nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for its end.")] = False,
    leave_records_behind: Annotated[
        bool, typer.Option(help="Switch though replication cannot be measured; what is not replicated stays behind.")
    ] = False,
    pause_before: Annotated[
        list[str] | None, typer.Option("--pause-before", metavar="STEP", help="For drills; may be said several times.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key: a second start with it is the first one.")
    ] = None,
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Switch a virtual cluster, or all of a cluster, to another cluster."""
    if (virtual_cluster is None) == (all_of is None):
        raise BadInputError("say a virtual cluster, or --all-of CLUSTER for all that it serves")
    steps: list[Any] = pause_before or []  # the API checks them
    request = SwitchoverRequest.model_construct(
        to=to,
        mode="unplanned" if unplanned else "planned",
        hold=None if hold is None else _seconds("--hold", hold),
        refuse=_seconds("--refuse", refuse),
        finish_transactions=_seconds("--finish-transactions", finish_transactions),
        leave_transactions=leave_transactions,
        sync_groups=_seconds("--sync-groups", sync_groups),
        dry_run=dry_run,
        leave_records_behind=leave_records_behind,
        pause_before=steps,
        key=key,
    )

    async def run(connection: ControlApi) -> SwitchoverAnswer:
        started = await connection.ask_for_switchover(request, virtual_cluster=virtual_cluster, all_of=all_of)
        return started if no_wait else await _follow(connection, started)

    try:
        end = ask(api, token_file, run)
    except KeyboardInterrupt:
        err().print("the switchover goes on; `tidegate switchover history` tells, `tidegate switchover cancel` ends it")
        raise
    if dry_run and end.plan is not None:
        print_plan(end.plan)
    elif end.plan is not None:
        for note in end.plan.notes:
            err().print(f"note: {note}")
    if no_wait:
        out().print(f"started: {end.id}, {_whom(end)}")
    elif end.state != "done":
        raise typer.Exit(FAILED)


@app.command("history")
def history(
    virtual_cluster: Annotated[str | None, typer.Argument(help="Only those of one virtual cluster.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="One of them, with all its steps and its plan.")] = None,
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Show the last switchovers, the newest first."""
    if id_ is not None:
        _print_one(ask(api, token_file, lambda connection: connection.switchover_by_id(id_)))
        return
    found = ask(api, token_file, lambda connection: connection.switchovers(virtual_cluster))
    if not found:
        err().print("there was no switchover yet")
        return
    made = table("ID", "ASKED", "VIRTUAL CLUSTERS", "FROM", "TO", "MODE", "BY", "STATE", "TOOK", "DETAIL")
    for each in found:
        first, last = each.history[0], each.history[-1]
        made.add_row(
            each.id,
            first.at[:19].replace("T", " "),
            ", ".join(each.virtual_clusters),
            each.source,
            each.target,
            each.mode,
            each.asked_by,
            each.state,
            f"{last.seconds:.1f}s",
            each.detail,
        )
    out().print(made)


@app.command("cancel")
def cancel(
    virtual_cluster: Annotated[str, typer.Argument(help="Whose switchover to take back.")],
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Take a switchover back, before the point of no return."""
    _steer(api, token_file, lambda connection: connection.cancel_switchover(virtual_cluster), wanted="rolled-back")


@app.command("continue")
def continue_(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The switchover that pauses.")],
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Let a switchover go on from its pause, and follow it."""
    _steer(api, token_file, lambda connection: connection.continue_switchover(id_), wanted="done")


def _steer(api: str, token_file: Any, command: Callable[[ControlApi], Any], *, wanted: str) -> None:
    async def run(connection: ControlApi) -> SwitchoverAnswer:
        return await _follow(connection, await command(connection))

    if ask(api, token_file, run).state != wanted:
        raise typer.Exit(FAILED)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInputError(f"{option}: {error}") from None


async def _follow(connection: ControlApi, answer: SwitchoverAnswer) -> SwitchoverAnswer:
    """Print each state when it is left: its detail is final then."""
    printed = 0
    told = ""
    with out().status("") as spinner:
        while True:
            complete = len(answer.history) if answer.over else len(answer.history) - 1
            for transition in answer.history[printed:complete]:
                spinner.console.print(_line(transition))
            printed = complete
            if answer.over:
                return answer
            if answer.paused_before and told != answer.paused_before:
                told = answer.paused_before
                err().print(f"paused before {told}: `tidegate switchover continue {answer.id}` lets it go on")
            spinner.update(f"{answer.state} {answer.detail}")
            await trio.sleep(POLL_SECONDS)
            answer = await connection.switchover_by_id(answer.id)


def _whom(answer: SwitchoverAnswer) -> str:
    return f"{', '.join(answer.virtual_clusters)} from {answer.source} to {answer.target}"


def _line(transition: Transition) -> str:
    return f"{transition.seconds:8.2f}s  {transition.state:<12}  {transition.detail}".rstrip()


def _print_one(answer: SwitchoverAnswer) -> None:
    console = out()
    console.print(f"{answer.id}: {_whom(answer)}, {answer.mode}, asked for at {answer.history[0].at}")
    for transition in answer.history:
        console.print(_line(transition))
    if answer.groups:
        made = table("\nGROUP", "\nTOPIC", "\nPARTITION", "\nCOMMITTED", "\nON TARGET", "\nBEHIND")
        for each in answer.groups:
            there = "absent" if each.on_target is None else str(each.on_target)
            behind = "unknown" if each.behind is None else str(each.behind)
            made.add_row(each.group, each.topic, str(each.partition), str(each.committed), there, behind)
        console.print(made)
    if answer.plan is not None:
        console.print()
        print_plan(answer.plan)
