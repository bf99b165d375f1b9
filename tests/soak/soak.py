"""One soak: cluster, gateway and users together, from the first connection to the final read."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio
from confluent_kafka import KafkaException

from appliance.drills.ledger import read_ledger
from appliance.lab import Cluster, ClusterPlan, LabPlan, open_lab
from appliance.lab.ports import PortLeases
from appliance.lab.processes import GuardedProcess, last_lines, start_guarded
from tests.bench.sides import Way, environment, open_gateway
from tests.soak.final_read import read_log
from tests.soak.judging import Evidence, Kill
from tests.soak.plans import LEDGER, ORDERS, PARTITIONS, USERS, Brief
from tests.soak.sentinels import NoSentinelsError, Sentinels
from tests.soak.watching import Sample, look, trend, watch

_USERS = Path(__file__).with_name("users.py")
_COUNT = 14
"""Users: the sum of their `fixed_count`."""
_ENDING = 240.0
"""Seconds after the load in which the users read to the end and close."""
_CALM = 30.0
"""Seconds in which the gateway has to close what the users left."""
_CALM_LOOKS = 6
"""The same number of file descriptors so many times, half a second apart: it will not change by itself."""
_REPORT_EVERY = 10.0


class SoakError(Exception):
    """The soak could not be done; the message says why."""


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    seconds: float
    rate: int
    workers: int | None
    kill_worker: bool
    directory: Path
    """Folder for the ledger and all logs; it is made, and must not be there yet."""


@dataclass(frozen=True)
class Outcome:
    """What was seen."""

    evidence: Evidence
    users: list[Mapping[str, object]]
    """How often each kind of user did what, how long it took, and how often it failed."""
    errors: list[tuple[str, str, str, int]]
    """User, what it did, what it was told, and how often."""


async def soak(wish: Wish, tell: Callable[[str], None]) -> Outcome:
    """Run a soak. Raises SoakError, BenchError, LabError."""
    async with _ground(wish, tell) as (cluster, gateway):
        brief = Brief(f"soak-{secrets.token_hex(4)}", wish.seconds, wish.rate, wish.directory / "results")
        await trio.Path(brief.results).mkdir()
        root = gateway.pids[0]
        before = await _at_rest(root)
        start = trio.current_time()

        def clock() -> float:
            return trio.current_time() - start

        samples: list[Sample] = []
        kills: list[Kill] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, root, samples, clock)
                nursery.start_soon(_report, samples, wish.seconds, tell)
                if wish.kill_worker:
                    nursery.start_soon(_disturb, wish, gateway, kills, clock, tell)
                await _drive(brief, gateway.bootstrap, wish.directory, start)
                nursery.cancel_scope.cancel()
        except* SoakError as group:
            raise SoakError("; ".join(str(error) for error in group.exceptions)) from None
        tell("waiting for the gateway to come to rest")
        after = look(root, clock())
        with trio.move_on_after(_CALM):
            while after.descriptors > before.descriptors:
                await trio.sleep(0.5)
                after = look(root, clock())
        tell("reading the log to its end")
        ledger = await trio.to_thread.run_sync(read_ledger, brief.results / LEDGER)
        try:
            ledger.stored.extend(await trio.to_thread.run_sync(read_log, ",".join(cluster.bootstrap), brief.run))
        except KafkaException as error:
            raise SoakError(f"the log could not be read to its end: {error.args[0].str()}") from error
        found = json.loads(await trio.Path(brief.results / USERS).read_text())
        evidence = Evidence(
            ledger,
            found["readers"],
            found["unfinished"],
            trend(samples, wish.seconds, since=max((kill.over for kill in kills), default=0.0)),
            (before.descriptors, after.descriptors),
            after.memory == 0,
            kills,
        )
        return Outcome(evidence, found["users"], found["errors"])


@asynccontextmanager
async def _ground(wish: Wish, tell: Callable[[str], None]) -> AsyncIterator[tuple[Cluster, Way]]:
    """Three brokers, the topics, and the gateway in front of them."""
    directory = wish.directory
    with PortLeases() as ports:
        try:
            directory.mkdir(parents=True)
        except OSError as error:
            raise SoakError(f"expected to make the folder {directory}; found: {error.strerror}") from error
        plan = LabPlan((ClusterPlan("soak", brokers=3),))
        async with open_lab(plan, kind="apache", directory=directory / "lab", progress=tell) as lab:
            cluster = lab.clusters["soak"]
            for topic, partitions in PARTITIONS.items():
                await cluster.create_topic(topic, partitions)
            tell("starting the gateway")
            async with open_gateway(cluster.bootstrap, ports, directory, workers=wish.workers) as gateway:
                yield cluster, gateway


async def _at_rest(root: int) -> Sample:
    """Look at the gateway once the connections are gone that asked whether it is ready."""
    found = look(root, 0)
    calm = 0
    while calm < _CALM_LOOKS:
        await trio.sleep(0.5)
        last, found = found, look(root, 0)
        calm = calm + 1 if found.descriptors == last.descriptors else 0
    return found


async def _drive(brief: Brief, bootstrap: str, directory: Path, start: float) -> None:
    """Let locust's users work, and wait for their end."""
    command = [sys.executable, "-m", "locust", "--locustfile", str(_USERS), "--headless", "--only-summary"]
    command += ["--users", str(_COUNT), "--spawn-rate", str(_COUNT), "--host", bootstrap, "--stop-timeout", "10"]
    log = directory / "locust.log"
    process = await start_guarded(command, log, {**environment(), **brief.environment()})
    try:
        with trio.move_on_at(start + brief.seconds + _ENDING):
            await process.wait()
        if process.returncode is None or not (brief.results / USERS).exists():
            raise SoakError(_broken_off(process, log))
    finally:
        await process.aclose()


def _broken_off(process: GuardedProcess, log: Path) -> str:
    state = "did not end" if process.returncode is None else f"ended with status {process.returncode}"
    return f"the users {state}, and left no ledger; locust's log ends with:\n{last_lines(log, 30)}"


async def _disturb(
    wish: Wish, gateway: Way, kills: list[Kill], clock: Callable[[], float], tell: Callable[[str], None]
) -> None:
    """Kill one worker in the middle of the load."""
    sentinels = Sentinels(gateway.bootstrap, ORDERS, gateway.pids[0])
    refused = ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sentinels.run)
        await trio.sleep(wish.seconds / 2)
        tell("killing a worker")
        try:
            kills.append(await sentinels.kill_a_worker(clock))
        except NoSentinelsError as error:
            refused = str(error)
        nursery.cancel_scope.cancel()
    if refused:
        raise SoakError(refused)


async def _report(samples: list[Sample], seconds: float, tell: Callable[[str], None]) -> None:
    while True:
        await trio.sleep(_REPORT_EVERY)
        last = samples[-1]
        left = max(seconds - last.at, 0) / 60
        tell(f"{last.at / 60:.1f} min, {left:.1f} to go: {last.memory:.0f} MB, {last.descriptors} file descriptors")
