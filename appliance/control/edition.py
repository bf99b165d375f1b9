"""What control hands to the data path: all that decides how traffic is served, as plain data.

An edition says what is so, not how it is done: no interceptor, no socket, no clock. So it can go to another process as
it is (JSON), and every process makes its own snapshot of it (`snapshots`). Editions are whole and their versions rise:
whoever has missed one loses nothing by taking the next.

To tell the data path something more of a virtual cluster, add a field with a default to `Standing`, fill it in
`ControlPlane._standing`, and use it in `SnapshotMaker`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from appliance.control.catalogue import Catalogue, Declared
from appliance.policies.connect.fence import OPEN, Fence
from appliance.policies.positions.offset_maps import PositionMaps
from appliance.resources.fault import FaultSpec


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


PlainMaps = Annotated[
    PositionMaps,
    PlainValidator(lambda said: said if isinstance(said, PositionMaps) else PositionMaps.of_json(said)),
    PlainSerializer(PositionMaps.as_json),
]
"""Offset maps, as plain data where they are written down or sent."""


class Standing(_Plain):
    """How a virtual cluster stands, beside what is declared of it."""

    serving: str
    """The cluster that serves it."""
    fence: Fence = OPEN
    """What becomes of its writes."""
    switches: int = 0
    """How often it was switched."""
    maps: PlainMaps = Field(default_factory=PositionMaps)
    """How the offsets of its clusters look to its clients."""


class FaultInForce(_Plain):
    """A fault that strikes as long as editions have it."""

    name: str
    arming: int
    """Tells it from an earlier fault of the same name: what is armed anew counts anew."""
    spec: FaultSpec
    seconds_left: float
    """Until it is over, unless a later edition gives it longer: nobody lets it strike beyond that."""


class Edition(_Plain):
    """A configuration of the data path."""

    version: int
    resources: tuple[Annotated[Declared, Field(discriminator="kind")], ...] = ()
    virtual_clusters: dict[str, Standing] = Field(default_factory=dict)
    """By name; every declared virtual cluster is there."""
    faults: tuple[FaultInForce, ...] = ()
    """In the order in which they were armed."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The resources, as they are looked up."""
        return Catalogue.of(self.resources)

    def faults_on(self, virtual_cluster: str) -> list[FaultInForce]:
        """Return the faults of a virtual cluster, in the order in which they were armed."""
        return [each for each in self.faults if each.spec.virtual_cluster == virtual_cluster]
