"""The gateway, its control plane and its API in one nursery, until a signal comes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import trio

from appliance.api.errors import ApiPortError
from appliance.chaos.faults import arm
from appliance.cli.terminal import out
from appliance.control.armoury import Armoury
from appliance.control.catalogue import Declared
from appliance.control.datapath import DataPath
from appliance.control.errors import ControlError
from appliance.control.one_process import OneProcess
from appliance.control.plane import ControlPlane
from appliance.control.snapshots import SnapshotMaker
from appliance.control.statedir import StateDir
from appliance.control.switchover import Clocks
from appliance.gateway.errors import GatewayError
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.logs import LogFormat
from appliance.gateway.server import Gateway
from appliance.policies.positions.positions import Positions
from appliance.policies.standard import standard_interceptors
from appliance.remote.readiness import OpenListener, Readiness
from appliance.resources.envelope import parse_address
from appliance.resources.listener import Listener


class Interrupted(Exception):
    """Ctrl-C."""


@dataclass(frozen=True)
class ApiChoice:
    """Where the API is to listen, and who may use it."""

    address: tuple[str, int]
    token: str
    token_file: Path | None


@dataclass(frozen=True)
class Processes:
    """In how many processes to serve, and how long they may take to let go of their clients."""

    workers: int
    drain: float
    """Seconds."""
    verbose: bool
    log_format: LogFormat


class Served(Protocol):
    """Whatever serves clients: this process, or workers."""

    @property
    def ready(self) -> bool:
        """Whether clients are served."""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises GatewayError."""

    async def drain(self, seconds: float) -> None:
        """Let go of the clients within so many seconds."""


async def serve_until_told(
    declared: list[Declared],
    api: ApiChoice | None,
    state: StateDir | None,
    ready_file: Path | None,
    processes: Processes,
    metrics: tuple[str, int] | None = None,
) -> None:
    """Serve until SIGTERM (let go of the clients, return) or SIGINT (raise Interrupted).

    Raises UnfitError, StateError, GatewayError, ApiPortError for what cannot be served.
    """
    disguise = state.secret("disguise") if state is not None else os.urandom(32)
    data_path, served = _in_this_process(disguise) if processes.workers == 1 else _in_workers(processes, disguise)
    plane = ControlPlane(
        declared,
        data_path=data_path,
        arm=arm,
        clocks=Clocks(wall=lambda: datetime.now(UTC), monotonic=trio.current_time),
        state=state,
    )
    try:
        number = await _serve(plane, served, data_path, api, ready_file, processes, metrics)
    except BaseExceptionGroup as group:
        raise _the_one_expected(group) from None
    finally:
        if ready_file is not None:
            _remove(ready_file)
    if number == signal.SIGINT:
        raise Interrupted


def _in_this_process(disguise: bytes) -> tuple[DataPath, Served]:
    feed = SnapshotFeed()
    maker = SnapshotMaker(
        standard_interceptors, Armoury(arm), disguise=disguise, positions=lambda _: Positions(trio.current_time)
    )
    one = OneProcess(Gateway(feed), feed, maker, trio.current_time)
    return one, one


def _in_workers(processes: Processes, disguise: bytes) -> tuple[DataPath, Served]:
    from appliance.fleet.fleet import Fleet  # noqa: PLC0415 - as with the API
    from appliance.fleet.process import COMMAND  # noqa: PLC0415
    from appliance.fleet.supervisor import Supervisor  # noqa: PLC0415

    options = ["--drain", str(processes.drain), "--log-format", processes.log_format]
    command = [*COMMAND, *options, *(["--verbose"] if processes.verbose else [])]
    fleet = Fleet(trio.current_time, lambda: datetime.now(UTC).timestamp(), disguise)
    return fleet, Supervisor(fleet, processes.workers, command=command)


async def _serve(
    plane: ControlPlane,
    served: Served,
    data_path: DataPath,
    api: ApiChoice | None,
    ready_file: Path | None,
    processes: Processes,
    metrics: tuple[str, int] | None,
) -> int:
    # Where machines read along, every line is one that they can read.
    say = out().print if processes.log_format is LogFormat.TEXT else logging.getLogger("tidegate").info
    opened = trio.Event()

    def ready() -> bool:
        return opened.is_set() and served.ready

    async def open_all() -> None:
        bound = await _open_api(nursery, plane, data_path, api, ready) if api is not None else None
        scraped_at = await _open_metrics(nursery, plane, data_path, metrics, ready) if metrics is not None else None
        await nursery.start(served.serve)
        await plane.resume_switchovers()
        opened.set()
        _announce(plane, api, bound, scraped_at, say)
        if ready_file is not None:
            _write_ready_file(ready_file, plane, api, bound, scraped_at)

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(plane.run)
            nursery.start_soon(open_all)
            number = await anext(signals)
            if number == signal.SIGTERM and opened.is_set():
                nursery.start_soon(_cancel_at_the_next, signals, nursery.cancel_scope)
                await served.drain(processes.drain)
            nursery.cancel_scope.cancel()
    return number


async def _cancel_at_the_next(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """End at once when somebody asks again."""
    await anext(signals)
    scope.cancel()


async def _open_api(
    nursery: trio.Nursery, plane: ControlPlane, data_path: DataPath, api: ApiChoice, ready: Callable[[], bool]
) -> str:
    """Serve the API in the nursery; return its HOST:PORT."""
    # Imported where it is wanted: a gateway without an API does without a third of its memory.
    from appliance.api.app import make_app  # noqa: PLC0415
    from appliance.api.server import bind_api, serve_api  # noqa: PLC0415

    sock, bound = bind_api(*api.address)
    await nursery.start(serve_api, make_app(plane, data_path, token=api.token, ready=ready), sock)
    return bound


async def _open_metrics(
    nursery: trio.Nursery,
    plane: ControlPlane,
    data_path: DataPath,
    address: tuple[str, int],
    ready: Callable[[], bool],
) -> str:
    """Serve the metrics in the nursery, without a token; return their HOST:PORT."""
    from appliance.api.metrics import make_metrics_app  # noqa: PLC0415 - as with the API
    from appliance.api.server import bind_api, serve_api  # noqa: PLC0415

    sock, bound = bind_api(*address, what="metrics port")
    await nursery.start(serve_api, make_metrics_app(plane, data_path, ready), sock)
    return bound


def _announce(
    plane: ControlPlane,
    api: ApiChoice | None,
    bound: str | None,
    scraped_at: str | None,
    say: Callable[[str], object],
) -> None:
    for listener in plane.catalogue.listeners.values():
        ports = listener.spec.ports()
        cluster = plane.serving(listener.spec.virtual_cluster)
        bootstrap = ",".join(plane.catalogue.clusters[cluster].spec.bootstrap)
        say(
            f"listener {listener.name}: {_bootstrap(listener)} (brokers from port {ports.first}) -> "
            f"virtual cluster {listener.spec.virtual_cluster} -> cluster {cluster} ({bootstrap})"
        )
    if api is not None:
        token = f"token in {api.token_file}" if api.token_file else "token from the environment"
        say(f"control API: http://{bound} ({token})")
    if scraped_at is not None:
        say(f"metrics: http://{scraped_at}/metrics (no token)")


def _bootstrap(listener: Listener) -> str:
    host, port = parse_address(listener.spec.bind)
    return f"{listener.spec.advertise or host}:{port}"


def _write_ready_file(
    path: Path, plane: ControlPlane, api: ApiChoice | None, bound: str | None, scraped_at: str | None
) -> None:
    readiness = Readiness(
        pid=os.getpid(),
        api=f"http://{bound}" if bound else None,
        token_file=api.token_file.resolve() if api and api.token_file else None,
        metrics=f"http://{scraped_at}/metrics" if scraped_at else None,
        listeners=[
            OpenListener(name=each.name, virtual_cluster=each.spec.virtual_cluster, bootstrap=_bootstrap(each))
            for each in plane.catalogue.listeners.values()
        ],
    )
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(readiness.model_dump_json() + "\n", encoding="utf-8")
    beside.replace(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _the_one_expected(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that a user can do something about; a group with anything else in it stays
    whole."""
    expected, rest = group.split((GatewayError, ApiPortError, ControlError))
    if expected is None or rest is not None:
        return group
    found: BaseException = expected
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
