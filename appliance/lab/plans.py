"""What a lab shall consist of: values only; nothing runs yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.lab.errors import LabError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
"""Names become folders, aliases in MirrorMaker's property keys (no dots there) and container names."""


@dataclass(frozen=True)
class ClusterPlan:
    """One Kafka cluster: `brokers` nodes numbered from `first_node_id`; `properties` override the lab's own.

    The embedded broker has one node (id 111) whatever is planned, and takes no properties; the lab's note says so.
    """

    name: str
    brokers: int = 1
    first_node_id: int = 1
    properties: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(
                f"expected a cluster name of a-z, 0-9 and inner dashes, at most 32 long; found {self.name!r}"
            )
        if self.brokers < 1:
            raise LabError(f"cluster {self.name}: expected at least one broker, found {self.brokers}")
        if self.first_node_id < 0:
            raise LabError(f"cluster {self.name}: expected a first node id of 0 or more, found {self.first_node_id}")

    @property
    def node_ids(self) -> range:
        """The node ids, in order."""
        return range(self.first_node_id, self.first_node_id + self.brokers)


@dataclass(frozen=True)
class ReplicationPlan:
    """Copy topics that match `topics` (a regular expression) from one cluster to another, names unchanged."""

    source: str
    target: str
    topics: str = ".*"
    at_once: bool = True
    """Start it with the clusters; otherwise it waits for `Lab.start_replication`, for what must be there before it."""


@dataclass(frozen=True)
class LabPlan:
    """The clusters of a lab, and at most one direction of replication between two of them."""

    clusters: tuple[ClusterPlan, ...]
    replication: ReplicationPlan | None = None

    def __post_init__(self) -> None:
        names = [cluster.name for cluster in self.clusters]
        if not names:
            raise LabError("expected at least one cluster in the plan, found none")
        if len(set(names)) != len(names):
            raise LabError(f"expected cluster names that differ, found {', '.join(names)}")
        if self.replication is None:
            return
        ends = (self.replication.source, self.replication.target)
        for end in ends:
            if end not in names:
                raise LabError(f"replication: expected one of the plan's clusters ({', '.join(names)}), found {end!r}")
        if ends[0] == ends[1]:
            raise LabError(f"replication: expected two different clusters, found {ends[0]!r} twice")
