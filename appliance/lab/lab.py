"""A running lab: its clusters and the replication between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.lab.cluster import Cluster
from appliance.lab.errors import LabError
from appliance.lab.replication import Replication

Kind = Literal["apache", "embedded", "docker"]


@dataclass(frozen=True)
class Lab:
    """A lab as `open_lab` yields it; everything in it ends with that context."""

    kind: Kind
    note: str
    """What a reader of a report must know: how it replicates, what is missing, whether it was fallen back to."""
    versions: Mapping[str, str]
    """Software -> version: kafka and java, or the embedded broker's name."""
    clusters: Mapping[str, Cluster]
    replication: Replication | None = None

    @property
    def replicating(self) -> bool:
        """Whether records are being copied from one cluster to another now."""
        return self.replication is not None and self.replication.running

    async def start_replication(self) -> None:
        """Start it where it does not run; return when records come through. Raises LabError."""
        await self._planned().start()

    async def stop_replication(self, *, kill: bool = False) -> None:
        """End it gracefully or, as by a crash, at once; nothing happens where it does not run."""
        await self._planned().stop(kill=kill)

    def _planned(self) -> Replication:
        if self.replication is None:
            raise LabError("expected a lab with replication; this one was planned without (LabPlan.replication)")
        return self.replication
