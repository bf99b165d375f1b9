"""All commands; `main` is the entry point `tidegate`.

A command's module is imported when it is asked for: what `serve` needs, `status` does not have to wait for.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer

from appliance import __version__
from appliance.cli.endings import Commands
from appliance.cli.terminal import out

_MODULES = {
    "serve": "serve",
    "apply": "resources",
    "get": "resources",
    "delete": "resources",
    "switchover": "switchover",
    "status": "status",
    "user": "users",
    "certs": "certs",
    "lab": "lab",
    "drill": "drill",
}
"""Command -> its module in this package, which has a function of the command's name, or an `app` with sub-commands."""


class _Imported(Commands):
    """The commands of `_MODULES`, in that order."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"appliance.cli.{_MODULES[cmd_name]}")
        typed = getattr(module, "app", None)
        if typed is None:
            typed = typer.Typer(add_completion=False, context_settings=_HELP)
            typed.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(typed)
        command.name = cmd_name
        return command


_HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="tidegate",
    cls=_Imported,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
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


def main() -> None:
    """Run the command line and end the process."""
    app(prog_name="tidegate")
