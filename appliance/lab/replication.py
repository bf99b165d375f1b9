"""Replication between two clusters of a lab."""

from __future__ import annotations

from appliance.lab.canary import ensure_canary_topic, wait_canary
from appliance.lab.cluster import Cluster
from appliance.lab.runners import Runner

_READY = 180.0
"""Seconds for the first record to come through. MirrorMaker takes 8 on an idle machine, 50 on a loaded one."""


class Replication:
    """One direction of copying, by a replicator that keeps its own place. `name` is what messages call it."""

    def __init__(self, name: str, source: Cluster, target: Cluster, runner: Runner) -> None:
        self._name = name
        self._source, self._target = source, target
        self._runner = runner

    @property
    def running(self) -> bool:
        """Whether it runs now; false also when it ended by itself."""
        return self._runner.state != "stopped"

    async def start(self) -> None:
        """Start where it does not run; return when a record has really come through. Raises LabError."""
        if self.running:
            return
        await ensure_canary_topic(self._source)
        await self._runner.launch()
        await wait_canary(self._source.bootstrap, self._target.bootstrap, self._fallen, _READY)

    async def stop(self, *, kill: bool) -> None:
        """End gracefully, what was read being written first, or at once. A later start goes on where this one stood."""
        if kill:
            await self._runner.kill()
        else:
            await self._runner.stop()

    def _fallen(self) -> str | None:
        if self.running:
            return None
        return f"{self._name}: expected it to run, found that it ended; {self._runner.autopsy()}"
