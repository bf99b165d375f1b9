"""One run, from its first event to its last: which phase follows which, and what no error may keep from happening."""

from __future__ import annotations

import hashlib

import trio

from appliance.drills import phases
from appliance.drills.access import open_access
from appliance.drills.adapting import adapt
from appliance.drills.crew import standing, tell_troubles
from appliance.drills.declarations import declare, plan_lab
from appliance.drills.endings import ending_by
from appliance.drills.gateway_process import open_gateway
from appliance.drills.ground import describe_clusters, found_clusters, lay_ground, own_versions
from appliance.drills.interruption import Interruption
from appliance.drills.ledger import Stored, write_ledger
from appliance.drills.phase_log import PhaseLog
from appliance.drills.record import RunClock, RunRecord
from appliance.drills.replicating import wait_replicated
from appliance.drills.run_directory import RunDirectory
from appliance.drills.scenario import Scenario
from appliance.drills.stage import InconclusiveError, Stage
from appliance.drills.traffic.client import Site
from appliance.drills.traffic.client_log import open_client_log
from appliance.drills.traffic.fleet import open_fleet
from appliance.drills.traffic.logbook import Logbook
from appliance.drills.watching import Progress
from appliance.journal.events import Noted, RunEnded, RunStarted, Security
from appliance.lab import Choice, Lab, open_lab
from appliance.lab.ports import PortLeases

_STANDING_SECONDS = 1.0


class Run:
    """Plays a scenario once. `play`, then `close`; `scenario` and `surviving` are what is to be judged then."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        clock: RunClock,
        directory: RunDirectory,
        progress: Progress,
        interruption: Interruption,
        workers: int,
        security: Security,
    ) -> None:
        self.scenario = scenario
        """As it is run: a lab may not be able to run all of it."""
        self.surviving = scenario.lab.virtual_cluster.cluster
        """The cluster whose log decides: the one that serves at the end."""
        self._seed, self._clock, self._directory = seed, clock, directory
        self._progress, self._interruption = progress, interruption
        self._workers, self._security = workers, security
        self._record = RunRecord(directory.journal, progress.happened)
        self._phases = PhaseLog(clock, self._record)
        self._logbook = Logbook(clock)
        self._stored: list[Stored] = []

    async def play(self, lab: Lab | None, kind: Choice) -> RunEnded:
        """Do all that needs a lab; return how it ended."""
        with self._interruption.interruptible() as scope:
            self._phases.begin("preflight")
            try:
                ending = await self._with_lab(lab, kind)
            except Exception as error:  # noqa: BLE001 - the record must say how the run ended, whatever ended it
                ending = self._ended_by(error)
        return self._interrupted() if scope.cancelled_caught else ending

    def close(self, ending: RunEnded, kind: Choice) -> None:
        """Write the end into the record, and the ledger."""
        self._begin(kind, "the lab did not come up", {})
        self._record.add(ending)
        self._record.close()
        write_ledger(self._directory.ledger, [*self._logbook.writes, *self._logbook.deliveries, *self._stored])

    async def _with_lab(self, lab: Lab | None, kind: Choice) -> RunEnded:
        if lab is not None:
            return await self._on(lab)
        directory = self._directory.logs / "lab"
        async with open_lab(
            plan_lab(self.scenario.lab), kind=kind, directory=directory, progress=self._progress.say
        ) as opened:
            return await self._on(opened)

    async def _on(self, lab: Lab) -> RunEnded:
        adapted = adapt(self.scenario, lab.kind)
        self.scenario = adapted.scenario
        section = self.scenario.lab
        self._begin(lab.kind, "; ".join([lab.note, *adapted.changes]), dict(lab.versions))
        self._progress.say(f"lab: {lab.kind}; {lab.note}")
        for change in adapted.changes:
            self._record.add(Noted(at=self._clock(), text=f"the scenario was adapted to the lab: {change}"))
        if adapted.impossible:
            raise InconclusiveError(adapted.impossible)
        await lay_ground(section, lab, self._clock, self._record, self._progress)
        await describe_clusters(section, lab, self._clock, self._record)
        names = [each.name for each in self.scenario.traffic]
        with (
            PortLeases() as ports,
            open_client_log(self._directory.logs / "clients.log") as logger,
            open_access(self._security, names, self._directory.work / "tls") as access,
        ):
            resources, bootstrap = declare(
                section,
                found_clusters(lab),
                access=access,
                preserves_offsets=lab.kind == "embedded",
                port=ports.take,
            )
            self._progress.say(f"starting the gateway; its virtual cluster will be at {bootstrap}")
            async with (
                open_gateway(resources, self._directory, workers=self._workers) as gateway,
                open_fleet() as fleet,
                trio.open_nursery() as nursery,
            ):
                stage = Stage(
                    scenario=self.scenario,
                    seed=self._seed,
                    clock=self._clock,
                    record=self._record,
                    progress=self._progress,
                    logbook=self._logbook,
                    lab=lab,
                    gateway=gateway,
                    fleet=fleet,
                    site=Site(bootstrap, self._directory.path.name, self._logbook, logger, access),
                    serving=section.virtual_cluster.cluster,
                )
                nursery.start_soon(_watch, stage)
                ending = await self._perform(stage)
                nursery.cancel_scope.cancel()
        return ending

    async def _perform(self, stage: Stage) -> RunEnded:
        """Play the drill on its stage, heal, and look at what is left."""
        ending = None
        try:
            with self._interruption.interruptible():
                try:
                    await self._rehearse(stage)
                    ending = RunEnded(at=self._clock(), outcome="completed")
                except Exception as error:  # noqa: BLE001 - it must be healed whatever it was
                    ending = self._ended_by(error)
        finally:
            with self._interruption.deferred():
                ending = await self._heal(stage, self._interrupted() if ending is None else ending)
        aftermath = False
        with self._interruption.interruptible():
            aftermath = await self._look_after(stage)
        if not aftermath and ending.outcome == "completed":
            ending = self._interrupted()
        self._phases.end(ok=False, detail="cut short")
        return ending.model_copy(update={"at": self._clock()})

    async def _rehearse(self, stage: Stage) -> None:
        await phases.rehearse_faults(stage)
        await phases.connect(stage)
        await wait_replicated(stage)
        self._phases.end()
        self._phases.begin("baseline")
        await phases.baseline(stage)
        self._phases.end()
        self._phases.begin("run")
        stage.begun = True
        await phases.run(stage)
        self._phases.end()

    async def _heal(self, stage: Stage, ending: RunEnded) -> RunEnded:
        self._phases.begin("heal")
        failures = await phases.heal(stage)
        self._phases.end(ok=not failures, detail="; ".join(failures))
        if failures and ending.outcome == "completed":
            return RunEnded(at=self._clock(), outcome="tool-error", detail=f"healing failed: {'; '.join(failures)}")
        return ending

    async def _look_after(self, stage: Stage) -> bool:
        """Settle and read the logs. What fails here is recorded and puts the verdict in doubt."""
        stage.serving = self.surviving = await phases.serving_cluster(stage)
        for name, look in (("settle", self._settle), ("final-read", self._read)):
            self._phases.begin("settle" if name == "settle" else "final-read")
            try:
                await look(stage)
            except Exception as error:  # noqa: BLE001 - the one must not keep the other from being tried
                ending = self._ended_by(error)
                stage.note(ending.detail)
            self._phases.end()
        return True

    async def _settle(self, stage: Stage) -> None:
        # There is nothing to come back from where no step was played, and nobody to wait where somebody wants to leave.
        await phases.settle(stage, hasty=bool(self._interruption.reason) or not stage.begun)

    async def _read(self, stage: Stage) -> None:
        self._stored = await phases.read_finally(stage)

    def _begin(self, kind: str, note: str, versions: dict[str, str]) -> None:
        self._record.begin(
            RunStarted(
                at=0.0,
                scenario=self.scenario.name,
                scenario_sha256=hashlib.sha256(self._directory.scenario.read_bytes()).hexdigest(),
                seed=self._seed,
                lab=kind,
                lab_note=note,
                workers=self._workers,
                security=self._security,
                started=self._clock.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
                versions={**own_versions(), **versions},
            )
        )

    def _ended_by(self, error: BaseException) -> RunEnded:
        ending = ending_by(error, self._clock(), self._directory.logs / "runner.log")
        self._phases.end(ok=False, detail=ending.detail)
        return ending

    def _interrupted(self) -> RunEnded:
        self._phases.end(ok=False, detail="cut short")
        return RunEnded(at=self._clock(), outcome="interrupted", detail=self._interruption.reason)


async def _watch(stage: Stage) -> None:
    """Record the errors that clients saw, and tell how the run stands, about once a second."""
    while True:
        await trio.sleep(_STANDING_SECONDS)
        tell_troubles(stage)
        if not stage.winding_up:
            stage.progress.stands(standing(stage))
