"""`tidegate serve`: what is to run, from the command line's words."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated

import trio
import typer

from appliance.api.token import checked_token, kept_token, read_token
from appliance.cli.connection import DEFAULT_API, TOKEN_VARIABLE
from appliance.cli.endings import INTERRUPTED, BadInputError
from appliance.cli.places import default_state_dir
from appliance.cli.serving import ApiChoice, Interrupted, Processes, serve_until_told
from appliance.control.catalogue import Declared
from appliance.control.statedir import StateDir
from appliance.gateway.logs import LogFormat, write_logs
from appliance.resources.cluster import Cluster, ClusterSpec
from appliance.resources.documents import load_resources
from appliance.resources.envelope import Metadata, parse_address
from appliance.resources.fault import Fault
from appliance.resources.listener import Listener, ListenerSpec
from appliance.resources.virtual_cluster import VirtualCluster, VirtualClusterSpec


def serve(
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", metavar="DIR|FILE", help="Resources to serve; repeatable."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="HOST:PORT[,...]", help="Without files: the bootstrap of one cluster to pass through."
        ),
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="With --to: where clients come in.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(
            "--api", metavar="HOST:PORT", help=f"The control API; {DEFAULT_API} with files. Port 0: a free one."
        ),
    ] = None,
    api_token_file: Annotated[
        Path | None,
        typer.Option(
            "--api-token-file", metavar="FILE", help="The API's token; else TIDEGATE_TOKEN, else one is made."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="What survives a restart; default: XDG state directory."),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", metavar="FILE", help="Written (JSON) when everything is open.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Processes that serve clients, for as many cores.")
    ] = 1,
    drain: Annotated[
        float,
        typer.Option(
            "--drain", metavar="SECONDS", min=0, help="At SIGTERM: how long letting go of the clients may take."
        ),
    ] = 10.0,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="HOST:PORT", help="Metrics and probes without a token, beside those of the API."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Text for people, or JSON, one object a line.")
    ] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    declared = _declared(files, to, listen)
    address = _api_address(api if api is not None else DEFAULT_API if files else None, api_token_file)
    scraped_at = _address("--metrics", metrics) if metrics is not None else None
    write_logs(log_format, verbose=verbose)
    keeps = bool(files) or state is not None
    token, token_file, directory = None, None, None
    if address is not None:
        token, token_file = _given_token(api_token_file)
    if keeps or (address is not None and token is None):
        directory = StateDir(state or default_state_dir())
    try:
        if address is not None and token is None:
            assert directory is not None
            token, token_file = kept_token(directory)
        choice = ApiChoice(address, token, token_file) if address is not None and token is not None else None
        processes = Processes(workers, drain, verbose, log_format)
        trio.run(serve_until_told, declared, choice, directory if keeps else None, ready_file, processes, scraped_at)
    except Interrupted:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if directory is not None:
            directory.close()


def _declared(files: list[Path] | None, to: str | None, listen: str | None) -> list[Declared]:
    if files:
        if to or listen:
            raise BadInputError("say either -f (resources in files) or --to and --listen (one cluster), not both")
        return _without_faults(files)
    if not to or not listen:
        raise BadInputError("say what to serve: -f DIR|FILE, or --to HOST:PORT together with --listen HOST:PORT")
    for option, text in [*(("--to", each) for each in to.split(",")), ("--listen", listen)]:
        try:
            parse_address(text)
        except ValueError as error:
            raise BadInputError(f"{option}: {error}") from None
    try:
        listener = ListenerSpec(bind=listen, virtual_cluster="default")
    except ValueError:
        raise BadInputError(
            f"--listen {listen}: expected an address that clients can connect to and ports after it; "
            "with files (-f) a Listener can advertise another host"
        ) from None
    name = Metadata(name="default")
    return [
        Cluster(metadata=name, spec=ClusterSpec(bootstrap=to.split(","))),
        VirtualCluster(metadata=name, spec=VirtualClusterSpec(cluster="default")),
        Listener(metadata=name, spec=listener),
    ]


def _without_faults(files: list[Path]) -> list[Declared]:
    for each in files:
        if not each.exists():
            raise BadInputError(f"-f {each}: there is no such file or folder")
    resources = load_resources(*files)
    faults = [each.name for each in resources if isinstance(each, Fault)]
    if faults:
        raise BadInputError(
            f"-f {', '.join(map(str, files))} has faults ({', '.join(faults)}): a gateway never starts with faults; "
            "take them out, and arm them with tidegate apply once it runs"
        )
    return [each for each in resources if not isinstance(each, Fault)]


def _api_address(text: str | None, token_file: Path | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, port = _address("--api", text)
    if not _loopback(host) and token_file is None:
        raise BadInputError(
            f"--api {text}: others could reach it; say --api-token-file with a token of your own, or use 127.0.0.1"
        )
    return host, port


def _address(option: str, text: str) -> tuple[str, int]:
    try:
        return parse_address(text)
    except ValueError as error:
        raise BadInputError(f"{option}: {error}") from None


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _given_token(token_file: Path | None) -> tuple[str | None, Path | None]:
    if token_file is not None:
        return read_token(token_file), token_file
    given = os.environ.get(TOKEN_VARIABLE)
    return (checked_token(given.strip(), TOKEN_VARIABLE), None) if given else (None, None)
