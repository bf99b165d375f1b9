"""How a command ends: errors that users can do something about become one message and an exit code, no
traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from appliance.api.errors import ApiPortError
from appliance.cli.terminal import err
from appliance.control.errors import ControlError, UnfitError
from appliance.gateway.errors import GatewayError
from appliance.remote.errors import RefusedError, RemoteError
from appliance.resources.documents import Invalid

WRONG_INPUT = 2
FAILED = 1
INTERRUPTED = 130


class BadInputError(Exception):
    """What the user gave cannot be right."""


_EXPECTED = (BadInputError, Invalid, RemoteError, ControlError, GatewayError, ApiPortError)


class Commands(TyperGroup):
    """A group of commands in which expected errors end as they should, also for commands of its
    sub-groups."""

    def invoke(self, ctx: Any) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except _EXPECTED as error:
            err().print(_message(error))
            raise typer.Exit(_code(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _code(error: Exception) -> int:
    if isinstance(error, BadInputError | Invalid | UnfitError):
        return WRONG_INPUT
    if isinstance(error, RefusedError) and error.status in {400, 422}:
        return WRONG_INPUT
    return FAILED


def _message(error: Exception) -> str:
    if not isinstance(error, Invalid):
        return f"error: {error}"
    lines = [*map(str, error.problems)]
    if any("found 'Scenario'" in line for line in lines):
        lines.append("a Scenario is run, not applied: tidegate drill run FILE")
    return "\n".join(lines)
