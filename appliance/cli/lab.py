"""`tidegate lab`: Kafka clusters on this machine, to try things on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import trio
import typer
from rich.text import Text

from appliance.cli.endings import FAILED, INTERRUPTED
from appliance.cli.places import default_state_dir
from appliance.cli.terminal import err, out, table
from appliance.lab import Choice, ClusterPlan, LabError, LabPlan, ReplicationPlan, open_lab
from appliance.lab.jarlock import LOCK_PATH, make_lock
from appliance.lab.processes import last_lines
from appliance.lab.record import LabRecord, hold, is_held, keep_record, read_record

app = typer.Typer(
    add_completion=False, help="Run Kafka clusters on this machine, to try things on.", no_args_is_help=True
)

_LOG = "up.log"
_POLL = 0.2
_END = 30.0
"""Seconds that a lab may take to end; it kills its processes, so that it takes one or two."""
_FIRST_STANDBY = 11
_STATE_STYLES = {"running": "green", "paused": "yellow", "stopped": "red"}

Lab = Annotated[Choice, typer.Option(help="auto: apache, or embedded where Kafka's jars cannot be had.")]
Brokers = Annotated[int, typer.Option(min=1, max=9, help="Brokers of the primary cluster.")]
Standby = Annotated[int, typer.Option(min=0, max=9, help="Brokers of the standby cluster; 0: no standby.")]
Replicate = Annotated[bool, typer.Option("--replication/--no-replication", help="Copy primary to standby.")]
Directory = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="Where logs and the lab's record lie.", show_default=False)
]
Detach = Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")]


@app.command()
def up(
    lab: Lab = "auto",
    brokers: Brokers = 3,
    standby: Standby = 1,
    replication: Replicate = True,
    directory: Directory = None,
    detach: Detach = False,
) -> None:
    """Start clusters; run until Ctrl-C, or in the background with --detach."""
    folder = _folder(directory)
    with _plain_errors():
        if detach:
            options = ["--lab", lab, "--brokers", str(brokers), "--standby", str(standby)]
            options.append("--replication" if replication else "--no-replication")
            trio.run(_up_detached, folder, options)
        else:
            with hold(folder):
                trio.run(_up, _plan(brokers, standby, replication), lab, folder)


@app.command()
def status(directory: Directory = None) -> None:
    """Show clusters, brokers and replication. Ends with 1 where no lab runs."""
    folder = _folder(directory)
    with _plain_errors():
        _show(_expect_record(folder))


@app.command()
def down(directory: Directory = None) -> None:
    """End the lab that runs in the background, and all of its processes."""
    folder = _folder(directory)
    with _plain_errors():
        record = _expect_record(folder)
        trio.run(_end, record, folder)
        out().print("the lab has ended")


@app.command(hidden=True)
def lock() -> None:
    """Resolve Kafka's jars anew and write their lock. For those who maintain Tidegate."""
    with _plain_errors():
        made = make_lock(LOCK_PATH, lambda text: err().print(text))
        out().print(f"{LOCK_PATH}: {len(made.jars)} jars, {made.size:,} bytes")


def _folder(given: Path | None) -> Path:
    return (given or default_state_dir() / "lab").absolute()


def _option(folder: Path) -> str:
    """Return what a command must be given to find the lab of this folder."""
    return "" if folder == _folder(None) else f" --dir {folder}"


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        err().print(f"error: {error}")
        raise typer.Exit(FAILED) from None


def _plan(brokers: int, standby: int, replication: bool) -> LabPlan:
    primary = ClusterPlan("primary", brokers)
    if not standby:
        return LabPlan((primary,))
    # Node ids that differ show in a client's log which cluster it talks to.
    second = ClusterPlan("standby", standby, first_node_id=_FIRST_STANDBY)
    return LabPlan((primary, second), ReplicationPlan("primary", "standby") if replication else None)


async def _up(plan: LabPlan, kind: Choice, folder: Path) -> None:
    """Run a lab until SIGINT or SIGTERM: both cancel it, and its context ends what it started. Raises LabError."""
    failures: list[LabError] = []

    async def run() -> None:
        try:
            async with open_lab(plan, kind=kind, directory=folder, progress=err().print) as lab:
                _show(LabRecord.of(lab))
                err().print("Ctrl-C ends the lab")
                await keep_record(lab, folder)
        except LabError as error:
            failures.append(error)
            nursery.cancel_scope.cancel()

    told = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            told = await anext(signals)
            err().print("ending the lab")
            nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if told == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


async def _up_detached(folder: Path, options: list[str]) -> None:
    """Start `up` in a session of its own and follow it until its record is there."""
    if is_held(folder):
        raise LabError(f"expected no lab in {folder}, found one; to end it: tidegate lab down{_option(folder)}")
    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    log = folder / _LOG
    with log.open("wb") as output:
        command = [sys.executable, "-m", "appliance", "lab", "up", *options, "--dir", str(folder)]
        child = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            while (record := read_record(folder)) is None:
                if child.poll() is not None:
                    raise LabError(
                        f"expected the lab to start; found that it ended; {log} ends with:\n{last_lines(log)}"
                    )
                for line in lines:
                    err().print(line, end="")
                await trio.sleep(_POLL)
    except BaseException:
        child.terminate()
        raise
    _show(record)
    end = f"`tidegate lab down{_option(folder)}` ends it"
    err().print(f"the lab runs in the background (pid {record.pid}, logs in {folder}); {end}")


def _expect_record(folder: Path) -> LabRecord:
    record = read_record(folder)
    if record is not None:
        return record
    if is_held(folder):
        raise LabError(f"expected a lab that is ready in {folder}, found one that starts or ends; try again shortly")
    raise LabError(
        f"expected a running lab in {folder}, found none; start one: tidegate lab up --detach{_option(folder)}"
    )


async def _end(record: LabRecord, folder: Path) -> None:
    os.kill(record.pid, signal.SIGTERM)  # the record is read only while its process holds the folder
    with trio.move_on_after(_END):
        while is_held(folder):  # noqa: ASYNC110  # no event: it is another process
            await trio.sleep(_POLL)
        return
    raise LabError(f"expected the lab (pid {record.pid}) to end within {_END:g} s; it has not; see {folder / _LOG}")


def _show(record: LabRecord) -> None:
    console = out()
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    console.print(f"{record.kind} lab ({versions}), pid {record.pid}")
    if record.note:
        console.print(record.note)
    brokers = table("CLUSTER", "BROKER", "ADDRESS", "STATE")
    for name, each in record.clusters.items():
        for broker in each:
            state = Text(broker.state, style=_STATE_STYLES[broker.state])
            brokers.add_row(name, str(broker.node_id), broker.address, state)
    console.print(brokers)
    if record.replicating is not None:
        console.print(f"replication {'runs' if record.replicating else 'is stopped'}")
