"""VirtualCluster: what clients see as one cluster."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from appliance.resources.consumer_switching import Beginning, ClientSoftware, HoldFetch, Remedies
from appliance.resources.envelope import DeclaredResource, Name, Spec

Replication = Literal["mirrormaker", "byte-preserving", "none"]


class VirtualClusterSpec(Spec):
    """What clients see as one cluster; which real cluster serves it can change while they are connected."""

    cluster: Name
    """The cluster that serves it until a switchover says otherwise."""
    standbys: list[Name] = Field(default_factory=list)
    """Clusters that it may be switched to."""
    replication: Replication = "none"
    """How records get between `cluster` and the standbys, both ways: decides how a planned switchover measures the lag.
    `mirrormaker`: MirrorMaker 2, whose offsets differ from the source's. `byte-preserving`: cluster links and what else
    copies batch for batch, so that offsets and producer ids stay. `none`: nothing that can be measured."""
    replication_by_standby: dict[Name, Replication] = Field(default_factory=dict)
    """Standbys that get their records in another way than `replication` says."""
    producer_ids: Literal["tagged", "plain"] = "tagged"
    """`tagged`: ids from InitProducerId are made unique across clusters (the only safe setting for a virtual
    cluster that may be switched). `plain` exists for the drill that shows what happens without it."""
    offsets: Literal["as-is", "continuous"] = "as-is"
    """`continuous`: the offsets that clients see go on across switchovers, whatever those of the clusters are, so that
    every consumer keeps its position, with or without a group. Needs `replication: mirrormaker`, whose offset syncs say
    which offset became which."""
    unproven: Literal["reset", "refuse"] = "reset"
    """What becomes of a Fetch at an offset of which the syncs do not say where its record is (`offsets: continuous`).
    `reset`: the client does what its own reset policy says. `refuse`: it is refused, and keeps its position."""
    positions: Beginning = "client"
    """Where a group that was at work before a switchover begins on the new side if it has no committed offsets there:
    `client` (as its own reset policy says), `earliest`, `latest` (where the log ended at the switchover),
    `timestamp:2026-01-31T12:00:00Z`, or `refuse` (with an error)."""
    hold_fetch: HoldFetch = Field(default_factory=HoldFetch)
    rebootstrap: list[ClientSoftware] = Field(default_factory=list)
    """Clients that are told to start over from their bootstrap addresses (REBOOTSTRAP_REQUIRED, KIP-1102) when they ask
    for Metadata while a switchover moves them; all others, and those too, have their connections closed node by node.
    None by default: measured, nobody is back sooner for it (docs/switchover.md has the figures), and a producer that is
    not idempotent may write in another order what it had under way. It is for those whose bootstrap address leads
    elsewhere by now."""
    remedies: Remedies = Field(default_factory=Remedies)

    @model_validator(mode="after")
    def _offsets_can_be_mapped(self) -> Self:
        if self.offsets == "continuous" and self.replication != "mirrormaker":
            raise ValueError(
                "offsets: continuous needs replication: mirrormaker, whose offset syncs say which offset became which; "
                f"found {self.replication} (replication that preserves offsets needs no translation)"
            )
        return self

    @property
    def preserves_bytes(self) -> bool:
        """Whether any of its clusters gets batches as they are, with the producers that wrote them."""
        return "byte-preserving" in {self.replication, *self.replication_by_standby.values()}

    def replication_between(self, one: str, other: str) -> Replication:
        """Return how records get from one of its clusters to another."""
        if self.cluster not in {one, other}:
            return self.replication
        return self.replication_by_standby.get(other if one == self.cluster else one, self.replication)


class VirtualCluster(DeclaredResource):
    kind: Literal["VirtualCluster"] = "VirtualCluster"
    spec: VirtualClusterSpec
