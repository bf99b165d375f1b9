"""All commands; `main` is the entry point `tidegate`."""

from __future__ import annotations

from typing import Annotated

import typer

from appliance import __version__
from appliance.cli import drill, lab
from appliance.cli.endings import Commands
from appliance.cli.resources import apply, delete, get
from appliance.cli.serve import serve
from appliance.cli.status import status
from appliance.cli.switchover import switchover
from appliance.cli.terminal import out

app = typer.Typer(
    name="tidegate",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out().print(f"tidegate {__version__}")
        raise typer.Exit


@app.callback()
def tidegate(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A Kafka gateway that rehearses its own disasters."""


app.command()(serve)
app.command()(apply)
app.command()(get)
app.command()(delete)
app.command()(switchover)
app.command()(status)
app.add_typer(lab.app, name="lab")
app.add_typer(drill.app, name="drill")


def main() -> None:
    """Run the command line and end the process."""
    app(prog_name="tidegate")
