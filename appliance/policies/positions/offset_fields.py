"""Where offsets stand: for each API that carries them, the paths of topic, partition and offsets, in both directions.

In every one of these messages the topic stands before its partitions and the partition's number before its offsets, so
that one pass over the places, remembering topic and partition, is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from appliance.wire.apis import Api
from appliance.wire.layout import Direction
from appliance.wire.walk import Walk, walk_of

TOPIC, TOPIC_ID, INDEX, ERROR = range(4)
"""Among the fields of a walk; offsets follow."""
_ENDS = frozenset({"high_watermark", "last_stable_offset", "end_offset"})
"""Names of the offsets behind which there is nothing."""


@dataclass(frozen=True)
class Fields:
    """Paths; several where versions differ. Offsets are int64, or arrays of them."""

    topic: tuple[str, ...]
    topic_id: tuple[str, ...]
    index: tuple[str, ...]
    offsets: tuple[str, ...]
    error: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[tuple[int, str], ...]:
        """What each path is, and the paths."""
        kinds = ((TOPIC, self.topic), (TOPIC_ID, self.topic_id), (INDEX, self.index), (ERROR, self.error))
        offsets = tuple((4 + number, path) for number, path in enumerate(self.offsets))
        return tuple((kind, path) for kind, paths in kinds for path in paths) + offsets

    @cached_property
    def ends(self) -> frozenset[int]:
        """Which of the offsets are ends of logs."""
        return frozenset(kind for kind, path in self.wanted if path.rpartition(".")[2] in _ENDS)


def _fields(prefix: str, partitions: str, index: str, *offsets: str, error: str = "", name: str = "name") -> Fields:
    inner = f"{prefix}.{partitions}."
    return Fields(
        (f"{prefix}.{name}",),
        (f"{prefix}.topic_id",),
        (inner + index,),
        tuple(inner + each for each in offsets),
        (inner + error,) if error else (),
    )


_ACKNOWLEDGED = ("acknowledgement_batches.first_offset", "acknowledgement_batches.last_offset")

REQUESTS: Mapping[int, Fields] = {
    Api.FETCH: _fields("topics", "partitions", "partition", "fetch_offset", "log_start_offset", name="topic"),
    Api.OFFSET_COMMIT: _fields("topics", "partitions", "partition_index", "committed_offset"),
    Api.TXN_OFFSET_COMMIT: _fields("topics", "partitions", "partition_index", "committed_offset"),
    Api.DELETE_RECORDS: _fields("topics", "partitions", "partition_index", "offset"),
    Api.SHARE_FETCH: _fields("topics", "partitions", "partition_index", *_ACKNOWLEDGED),
    Api.SHARE_ACKNOWLEDGE: _fields("topics", "partitions", "partition_index", *_ACKNOWLEDGED),
    Api.ALTER_SHARE_GROUP_OFFSETS: _fields(
        "topics", "partitions", "partition_index", "start_offset", name="topic_name"
    ),
}

_FETCHED = _fields("topics", "partitions", "partition_index", "committed_offset")
_FETCHED_BY_GROUP = _fields("groups.topics", "partitions", "partition_index", "committed_offset")

RESPONSES: Mapping[int, Fields] = {
    Api.PRODUCE: _fields("responses", "partition_responses", "index", "base_offset", "log_start_offset"),
    Api.FETCH: _fields(
        "responses",
        "partitions",
        "partition_index",
        "high_watermark",
        "last_stable_offset",
        "log_start_offset",
        "aborted_transactions.first_offset",
        "diverging_epoch.end_offset",
        error="error_code",
        name="topic",
    ),
    Api.LIST_OFFSETS: _fields("topics", "partitions", "partition_index", "offset"),
    Api.OFFSET_FETCH: Fields(
        _FETCHED.topic + _FETCHED_BY_GROUP.topic,
        _FETCHED.topic_id + _FETCHED_BY_GROUP.topic_id,
        _FETCHED.index + _FETCHED_BY_GROUP.index,
        _FETCHED.offsets + _FETCHED_BY_GROUP.offsets,
    ),
    Api.DELETE_RECORDS: _fields("topics", "partitions", "partition_index", "low_watermark"),
    Api.OFFSET_FOR_LEADER_EPOCH: _fields("topics", "partitions", "partition", "end_offset", name="topic"),
    Api.SHARE_FETCH: _fields(
        "responses",
        "partitions",
        "partition_index",
        "acquired_records.first_offset",
        "acquired_records.last_offset",
        error="error_code",
    ),
    Api.DESCRIBE_SHARE_GROUP_OFFSETS: _fields(
        "groups.topics", "partitions", "partition_index", "start_offset", name="topic_name"
    ),
}

CARRIED = frozenset({*REQUESTS, *RESPONSES})
"""APIs that carry offsets of topics' partitions."""


@cache
def walk_and_kinds(api_key: int, api_version: int, direction: Direction, extra: str = "") -> tuple[Walk, list[int]]:
    """Return the walk over a message's offsets, and for each of its fields what it is; `extra` comes last, as -1."""
    fields = (REQUESTS if direction == "request" else RESPONSES)[api_key]
    kinds = [kind for kind, _ in fields.wanted]
    paths = tuple(path for _, path in fields.wanted)
    if extra:
        return walk_of(api_key, api_version, direction, (*paths, extra)), [*kinds, -1]
    return walk_of(api_key, api_version, direction, paths), kinds
