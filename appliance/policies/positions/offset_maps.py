"""The maps of a virtual cluster: for each cluster that serves or has served it, how its offsets and topic ids look to
clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from appliance.policies.positions.offset_map import IDENTITY, OffsetMap
from appliance.policies.positions.way_back import WayBack, read_topic_id

Partition = tuple[str, int]
"""Topic and number."""
Maps = Mapping[Partition, OffsetMap]

_NOTHING: Mapping[str, Maps] = MappingProxyType({})
_NOWHERE: Mapping[Partition, int] = MappingProxyType({})


class TopicId(NamedTuple):
    """What a cluster calls a topic, and what clients call it, 16 bytes each."""

    own: bytes
    known: bytes


TopicIdsByName = Mapping[str, TopicId]

_NO_IDS: Mapping[str, TopicIdsByName] = MappingProxyType({})


@dataclass(frozen=True)
class PositionMaps:
    """A pure value; whatever is not in it is the identity. What clients see are offsets and topic ids of the cluster
    that served first."""

    clusters: Mapping[str, Maps] = field(default_factory=lambda: _NOTHING)
    beginnings: Mapping[Partition, int] = field(default_factory=lambda: _NOWHERE)
    """Where groups without offsets begin on the cluster that serves, in its own offsets (`spec.positions`)."""
    topic_ids: Mapping[str, TopicIdsByName] = field(default_factory=lambda: _NO_IDS)
    """Cluster -> topic -> its ids."""
    way_back: WayBack | None = None
    """Where logs ended at the last switch; None: it is not known."""

    def of(self, cluster: str) -> Maps:
        """Return the maps of one cluster."""
        return self.clusters.get(cluster, {})

    def map_of(self, cluster: str, topic: str, partition: int) -> OffsetMap:
        """Return the map of one partition of one cluster."""
        return self.of(cluster).get((topic, partition), IDENTITY)

    def with_cluster(self, cluster: str, maps: Maps) -> PositionMaps:
        """Return the same with other maps for a cluster."""
        return replace(self, clusters=MappingProxyType({**self.clusters, cluster: MappingProxyType(dict(maps))}))

    def with_beginnings(self, beginnings: Mapping[Partition, int]) -> PositionMaps:
        """Return the same with other beginnings."""
        return replace(self, beginnings=MappingProxyType(dict(beginnings)))

    def with_topic_ids(self, cluster: str, ids: TopicIdsByName) -> PositionMaps:
        """Return the same with other topic ids for a cluster."""
        return replace(self, topic_ids=MappingProxyType({**self.topic_ids, cluster: MappingProxyType(dict(ids))}))

    def is_identity(self, cluster: str) -> bool:
        """Whether clients see the cluster's own offsets in every partition."""
        return all(each.is_identity for each in self.of(cluster).values())

    def as_json(self) -> dict[str, Any]:
        """Return plain data, by topic and partition."""
        clusters: dict[str, dict[str, dict[str, list[list[int]]]]] = {}
        for cluster, maps in sorted(self.clusters.items()):
            topics = clusters.setdefault(cluster, {})
            for (topic, partition), each in sorted(maps.items()):
                topics.setdefault(topic, {})[str(partition)] = each.as_json()
        beginnings: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in sorted(self.beginnings.items()):
            beginnings.setdefault(topic, {})[str(partition)] = offset
        topic_ids = {
            cluster: {topic: [each.own.hex(), each.known.hex()] for topic, each in sorted(ids.items())}
            for cluster, ids in sorted(self.topic_ids.items())
        }
        way_back = None if self.way_back is None else self.way_back.as_json()
        return {"clusters": clusters, "beginnings": beginnings, "topic_ids": topic_ids, "way_back": way_back}

    @classmethod
    def of_json(cls, data: Any) -> PositionMaps:
        """Return the maps that `as_json` said. Raises ValueError for anything else."""
        try:
            made = cls().with_beginnings(
                {(topic, int(each)): int(at) for topic, its in data["beginnings"].items() for each, at in its.items()}
            )
            for cluster, topics in data["clusters"].items():
                maps = {
                    (topic, int(each)): OffsetMap.of_json(segments)
                    for topic, partitions in topics.items()
                    for each, segments in partitions.items()
                }
                made = made.with_cluster(cluster, maps)
            for cluster, ids in data.get("topic_ids", {}).items():
                by_name = {topic: TopicId(*map(read_topic_id, its)) for topic, its in ids.items()}
                made = made.with_topic_ids(cluster, by_name)
            if data.get("way_back") is not None:
                made = replace(made, way_back=WayBack.of_json(data["way_back"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"expected offset maps, found {error!r}") from error
        return made


NO_MAPS = PositionMaps()
