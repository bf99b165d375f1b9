"""What a switch leaves behind for the switch back: where both logs of a partition ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID


class LogEnds(NamedTuple):
    """Where a partition's logs ended at a switch; source and target are those of the way back."""

    source: int
    """On the cluster that serves since. All records below came from the other one."""
    target: int
    """On the cluster that served before; where it was lost, the least that this can have been."""


class TopicEnds(NamedTuple):
    """A topic on both sides, its ids 16 bytes each: one that was made anew has another."""

    source_id: bytes
    target_id: bytes
    partitions: Mapping[int, LogEnds]


@dataclass(frozen=True)
class WayBack:
    """From the cluster that a virtual cluster was switched to last to the one that it came from. A topic or a partition
    that is not in it is not known."""

    source: str
    target: str
    topics: Mapping[str, TopicEnds]

    def as_json(self) -> dict[str, Any]:
        """Return plain data: per topic both ids, and per partition both ends."""
        topics = {
            name: [its.source_id.hex(), its.target_id.hex(), {str(n): [*ends] for n, ends in its.partitions.items()}]
            for name, its in sorted(self.topics.items())
        }
        return {"source": self.source, "target": self.target, "topics": topics}

    @classmethod
    def of_json(cls, data: Any) -> WayBack:
        """Return what `as_json` said. Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
        topics = {
            name: TopicEnds(
                read_topic_id(source_id),
                read_topic_id(target_id),
                {int(n): LogEnds(*map(int, ends)) for n, ends in partitions.items()},
            )
            for name, (source_id, target_id, partitions) in data["topics"].items()
        }
        return cls(data["source"], data["target"], topics)


def read_topic_id(said: object) -> bytes:
    """Return the 16 bytes of a topic id in hexadecimal. Raises ValueError for anything else."""
    try:
        return UUID(hex=str(said)).bytes
    except ValueError as error:
        raise ValueError(f"expected a topic id of 32 hexadecimal digits, found {said!r}") from error
