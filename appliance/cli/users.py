"""`tidegate user`: from a password to a User resource that does not hold it."""

from __future__ import annotations

import os
import re
import sys
from typing import Annotated

import typer
import yaml

from appliance.cli.endings import BadInputError
from appliance.cli.terminal import err, out
from appliance.identity.verifiers import ITERATIONS, SALT_BYTES, make_scram, make_scrypt, usable
from appliance.resources.envelope import Metadata
from appliance.resources.user import DIGEST_BYTES, User, UserSpec

_SHORT = 8
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def user(
    name: Annotated[str, typer.Argument(help="The name that clients say.")],
    groups: Annotated[list[str] | None, typer.Option("--group", help="A group of the user; repeatable.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from a prompt.")
    ] = False,
    iterations: Annotated[
        int, typer.Option(min=4096, max=1_000_000, help="What SCRAM costs a client at every login.")
    ] = ITERATIONS,
) -> None:
    """Print a User with SCRAM verifiers and an scrypt hash of a password: tidegate user NAME | tidegate apply -f -"""
    if not name.isprintable() or not usable(name):
        raise BadInputError(f"expected a name that all clients send alike (SASLprep, RFC 4013); found {name!r}")
    password = _from_stdin() if password_stdin else _from_prompt()
    if not usable(password):
        raise BadInputError(
            "expected a password that all clients send alike: not empty, and no characters that SASLprep (RFC 4013) "
            "changes or forbids, such as accents made of two characters; found another"
        )
    if len(password) < _SHORT:
        err().print(f"the password has fewer than {_SHORT} characters: SCRAM and scrypt only slow guessing down")
    declared = User(
        metadata=Metadata(name=resource_name(name)),
        spec=UserSpec(
            username=name if resource_name(name) != name else None,
            groups=groups or [],
            scram={
                mechanism: make_scram(mechanism, password, os.urandom(SALT_BYTES), iterations)
                for mechanism in DIGEST_BYTES
            },
            scrypt=make_scrypt(password, os.urandom(SALT_BYTES)),
        ),
    )
    plain = declared.model_dump(mode="json", by_alias=True, exclude_none=True)
    ordered = {key: plain[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    out().print(yaml.safe_dump(ordered, sort_keys=False, width=200).rstrip())


def resource_name(username: str) -> str:
    """Return a resource's name for a user: its own where that is one, else what can be kept of it."""
    name = _NOT_IN_NAMES.sub("-", username.lower()).strip("-")[:63].strip("-")
    if not name:
        raise BadInputError(f"expected a name with a letter or digit to call the resource by; found {username!r}")
    return name


def _from_stdin() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise BadInputError("expected a password in UTF-8 on standard input; found other bytes") from None
    return text.removesuffix("\n").removesuffix("\r")


def _from_prompt() -> str:
    if not sys.stdin.isatty():
        raise BadInputError("there is no terminal to ask for the password: pipe it in with --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
