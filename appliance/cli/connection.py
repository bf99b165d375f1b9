"""Finding the control API: its address and the token."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import trio
import typer

from appliance.api.token import FILE, read_token
from appliance.cli.places import default_state_dir
from appliance.remote.client import DEFAULT_ADDRESS, ControlApi

Result = TypeVar("Result")
TOKEN_VARIABLE = "TIDEGATE_TOKEN"  # noqa: S105 - the name of a variable

ApiOption = Annotated[
    str, typer.Option("--api", metavar="HOST:PORT", envvar="TIDEGATE_API", help="Where the control API listens.")
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"File with the API's token. Else {TOKEN_VARIABLE} holds it, else the default state directory.",
    ),
]
DEFAULT_API = DEFAULT_ADDRESS


def client_token(token_file: Path | None) -> str | None:
    """Return the token to show to the API, if one is found. Raises StateError for a file that cannot be
    read."""
    if token_file is not None:
        return read_token(token_file)
    given = os.environ.get(TOKEN_VARIABLE)
    if given:
        return given.strip()
    kept = default_state_dir() / FILE
    return read_token(kept) if kept.exists() else None


def ask(api: str, token_file: Path | None, question: Callable[[ControlApi], Awaitable[Result]]) -> Result:
    """Open a connection to the API, ask, close it. Raises RemoteError."""

    async def asking() -> Result:
        async with ControlApi(api, token=client_token(token_file)) as connection:
            return await question(connection)

    return trio.run(asking)
