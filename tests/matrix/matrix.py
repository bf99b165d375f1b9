"""One run: every client, every check, some clients at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio
from confluent_kafka import KafkaException

from tests.matrix.checks import CHECKS, Scene
from tests.matrix.driver import CannotPrepareError, Check, CheckFunction, Driver
from tests.matrix.results import CheckResult, ClientResult, Outcome
from tests.matrix.running import CheckFailedError, Stage
from tests.matrix.truth import Truth
from tests.matrix.watching import Watch
from tests.matrix.ways import Way

CHECK_SECONDS = 400.0
"""For one check; its steps have deadlines of their own."""


@dataclass
class Run:
    """What all clients of a run have in common. `tell(client, text)` says what is going on."""

    way: Way
    truth: Truth
    directory: Path
    tell: Callable[[str, str], None]
    jobs: int
    only: Collection[Check] = field(default_factory=lambda: tuple(Check))
    results: dict[str, ClientResult] = field(default_factory=dict)

    async def every(self, drivers: Sequence[Driver]) -> list[ClientResult]:
        """Run them all; return the results in the order of the drivers."""
        waiting = iter(drivers)
        async with trio.open_nursery() as nursery:
            for _ in range(self.jobs):
                nursery.start_soon(self._work, waiting)
        return [self.results[driver.name] for driver in drivers]

    async def _work(self, waiting: Iterator[Driver]) -> None:
        for driver in waiting:
            result = ClientResult(
                name=driver.name, language=driver.language, version=driver.version, remark=driver.remark
            )
            self.results[driver.name] = result
            result.not_run = driver.needs()
            result.missing_toolchain = result.not_run is not None
            if result.not_run is None:
                result.not_run = await self._not_installed(driver)
            if result.not_run is None:
                await self._checked(driver, result)
            self.tell(driver.name, result.not_run or "done")

    async def _not_installed(self, driver: Driver) -> str | None:
        self.tell(driver.name, "installing")

        def tell(text: str) -> None:
            trio.from_thread.run_sync(self.tell, driver.name, text)

        try:
            await trio.to_thread.run_sync(driver.prepare, tell)
        except CannotPrepareError as error:
            return f"not installed: {error}"
        return None

    async def _checked(self, driver: Driver, result: ClientResult) -> None:
        watch = Watch()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            for check, function in {**CHECKS, **driver.checks}.items():
                if check not in self.only:
                    continue
                if (why := driver.cannot.get(check)) is not None:
                    result.checks[check] = CheckResult(outcome=Outcome.UNSUPPORTED, reason=why)
                    continue
                self.tell(driver.name, check)
                result.checks[check] = await self._check(driver, check, function, watch)
            nursery.cancel_scope.cancel()
        result.doors = len(watch.ports & self.way.doors)
        result.strayed = sorted(watch.ports & self.way.forbidden) if self.way.doors else None

    async def _check(self, driver: Driver, check: Check, function: CheckFunction, watch: Watch) -> CheckResult:
        name = "-".join(re.findall(r"[a-z0-9.]+", f"{driver.name} {check}".lower()))
        access = self.way.access.by(driver.mechanism)
        scene = Scene(Stage(driver, self.directory / name, watch), access, self.truth, name)
        started = trio.current_time()
        outcome, reason = Outcome.FAILED, f"not done in {CHECK_SECONDS:g} s"
        try:
            with trio.move_on_after(CHECK_SECONDS):
                await function(scene)
                outcome, reason = Outcome.PASSED, ""
        except CheckFailedError as error:
            reason = str(error)
        except (KafkaException, OSError) as error:
            reason = f"the brokers could not be asked: {error!r}"
        took = round(trio.current_time() - started, 1)
        # Some hundred topics are more than the lab's small brokers have memory for. What cannot be deleted stays.
        with suppress(KafkaException):
            await scene.ask(self.truth.delete, name)
        return CheckResult(outcome=outcome, reason=reason, seconds=took)
