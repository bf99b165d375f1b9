"""`tidegate certs`: certificates for trying TLS out."""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.endings import BadInputError
from appliance.cli.terminal import err, out
from appliance.identity.authority import Authority, Identity
from appliance.resources.sni import host as host_name

app = typer.Typer(add_completion=False, help="Make certificates to try TLS with.", no_args_is_help=True)

LOCAL = ("localhost", "127.0.0.1", "::1")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_RESERVED = frozenset({"ca", "server", "truststore"})
_PASSWORD = "keystore.password"  # noqa: S105 - a file's name


@app.callback()
def certs() -> None:
    """Make certificates to try TLS with."""


@app.command()
def dev(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    hosts: Annotated[
        list[str] | None,
        typer.Option("--host", help="Host name (also *.NAME) or address of the server, beside localhost; repeatable."),
    ] = None,
    clients: Annotated[
        list[str] | None, typer.Option("--client", help="Name of a client that gets a certificate; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Make a CA, a server certificate, and client certificates: PEM, and PKCS 12 for Java.

    For development: the keys are not encrypted, all is good for a year, and the CA's key is not kept.
    """
    names = tuple(dict.fromkeys([*map(_host, hosts or ()), *LOCAL]))
    wanted = tuple(dict.fromkeys(map(_client, clients or ())))
    authority = Authority(datetime.now(UTC))
    password = secrets.token_urlsafe(18)
    files = {
        "ca.pem": authority.identity.certificate_pem,
        "truststore.p12": authority.truststore(password),
        _PASSWORD: password.encode(),
        **_files("server", authority.server(names)),
    }
    for client in wanted:
        identity = authority.client(client)
        files |= _files(client, identity)
        files[f"{client}.p12"] = identity.keystore(password, [authority.identity.certificate])
    _write(directory, files, force=force)
    _explain(directory.absolute(), names, wanted)


def _files(name: str, identity: Identity) -> dict[str, bytes]:
    return {f"{name}.pem": identity.certificate_pem, f"{name}.key": identity.key_pem}


def _host(text: str) -> str:
    try:
        if text.startswith("*."):
            return f"*.{host_name(text[2:])}"
        return text.lower() if ":" in text else host_name(text)
    except ValueError as error:
        raise BadInputError(f"--host: {error}") from None


def _client(text: str) -> str:
    if not _CLIENT.fullmatch(text) or text.lower() in _RESERVED:
        raise BadInputError(
            f"--client: expected a name of letters, digits and . _ @ -, and none of {', '.join(sorted(_RESERVED))}; "
            f"found {text!r}"
        )
    return text


def _write(directory: Path, files: dict[str, bytes], *, force: bool) -> None:
    """Write all files or, where one is in the way, none."""
    there = [name for name in files if (directory / name).exists()]
    if there and not force:
        raise BadInputError(f"{directory} has {', '.join(sorted(there))} already: --force overwrites them")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            public = name in {"ca.pem", "truststore.p12"} or (name.endswith(".pem"))
            _replace(directory / name, content, 0o644 if public else 0o600)
    except OSError as error:
        raise BadInputError(f"{directory} cannot be written: {error.strerror}") from None


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write beside it and rename: a key never lies in a file that others may have open or read."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)


def _explain(directory: Path, names: tuple[str, ...], clients: tuple[str, ...]) -> None:
    out().print(f"server certificate for {', '.join(names)} in {directory}")
    lines = [
        "",
        "In a Listener:",
        "  spec:",
        "    tls:",
        f"      certificate: {directory / 'server.pem'}",
        f"      private_key: {directory / 'server.key'}",
    ]
    if clients:
        lines += [
            f"      client_ca: {directory / 'ca.pem'}",
            "      client_auth: required",
            "      principal_mapping_rules: ['RULE:^CN=([^,]+),.*$/$1/']",
            "    authentication: {certificate: true}",
        ]
    lines += [
        "",
        "In a client of librdkafka's kind:",
        "  security.protocol=SSL",
        f"  ssl.ca.location={directory / 'ca.pem'}",
        *_librdkafka(directory, clients),
        "",
        f"In a Java client (the password is in {directory / _PASSWORD}):",
        "  security.protocol=SSL",
        "  ssl.truststore.type=PKCS12",
        f"  ssl.truststore.location={directory / 'truststore.p12'}",
        "  ssl.truststore.password=...",
        *_java(directory, clients),
    ]
    for line in lines:
        out().print(line)
    err().print("for development only: the keys are not encrypted")


def _librdkafka(directory: Path, clients: tuple[str, ...]) -> list[str]:
    return [
        line
        for client in clients[:1]
        for line in (
            f"  ssl.certificate.location={directory / client}.pem",
            f"  ssl.key.location={directory / client}.key",
        )
    ]


def _java(directory: Path, clients: tuple[str, ...]) -> list[str]:
    return [
        line
        for client in clients[:1]
        for line in (
            "  ssl.keystore.type=PKCS12",
            f"  ssl.keystore.location={directory / client}.p12",
            "  ssl.keystore.password=...",
        )
    ]
