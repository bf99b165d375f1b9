"""Messages that carry offsets, made by kio, and the same with every offset moved: written without the product."""

from __future__ import annotations

import struct
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

from appliance.exchange.message import Peer, Question
from appliance.exchange.topology import Knowledge
from appliance.wire.apis import Api, known_versions
from appliance.wire.layout import Direction
from tests.wire.messages import UNKNOWN_TAGS, Kind, Written, generated

OFFSETS: dict[Direction, dict[int, set[str]]] = {
    "request": {
        Api.FETCH: {"fetch_offset", "log_start_offset"},
        Api.OFFSET_COMMIT: {"committed_offset"},
        Api.TXN_OFFSET_COMMIT: {"committed_offset"},
        Api.DELETE_RECORDS: {"offset"},
        Api.SHARE_FETCH: {"first_offset", "last_offset"},
        Api.SHARE_ACKNOWLEDGE: {"first_offset", "last_offset"},
        Api.ALTER_SHARE_GROUP_OFFSETS: {"start_offset"},
    },
    "response": {
        Api.PRODUCE: {"base_offset", "log_start_offset"},
        Api.FETCH: {"high_watermark", "last_stable_offset", "log_start_offset", "first_offset", "end_offset"},
        Api.LIST_OFFSETS: {"offset"},
        Api.OFFSET_FETCH: {"committed_offset"},
        Api.DELETE_RECORDS: {"low_watermark"},
        Api.OFFSET_FOR_LEADER_EPOCH: {"end_offset"},
        Api.SHARE_FETCH: {"first_offset", "last_offset"},
        Api.DESCRIBE_SHARE_GROUP_OFFSETS: {"start_offset"},
    },
}
"""Direction -> API -> names of the fields that are offsets; a name means nothing else in the same message, but for
`end_offset` in Fetch's snapshot ids, which only controllers have."""


def kinds(direction: Direction) -> list[Kind]:
    """Return all kinds of messages that carry offsets."""
    found = []
    for api_key in OFFSETS[direction]:
        known = known_versions(api_key)
        assert known is not None
        name = "".join(part.capitalize() for part in Api(api_key).name.split("_"))
        found += [Kind(name, version, direction) for version in range(known[0], known[1] + 1)]
    return found


def batch(base: int, last: int, magic: int = 2, size: int = 100) -> bytes:
    """Return a record batch, as far as a gateway looks: its records are noise."""
    body = Random(base).randbytes(size)
    head = struct.pack(">qiibIhi", base, 15 + len(body), 7, magic, 0xDEADBEEF, 0, last - base)
    return head + body


def message(kind: Kind, seed: int, records: tuple[tuple[int, int], ...] = ((1000, 1009), (1010, 1010))) -> Any:
    """Return a message of this kind whose offsets are between 1,000 and 100,000 and whose records are these batches."""
    random = Random(seed)
    names = OFFSETS[kind.direction][kind.key]
    batches = b"".join(batch(*each) for each in records)

    def fitting(entity: Any) -> Any:
        changes: dict[str, Any] = {}
        for each in fields(entity):
            value = getattr(entity, each.name)
            if is_dataclass(value):
                changes[each.name] = fitting(value)
            elif isinstance(value, tuple) and value and is_dataclass(value[0]):
                changes[each.name] = tuple(fitting(element) for element in value)
            elif each.name in names:
                changes[each.name] = random.randint(1000, 100_000)
            elif each.name == "records":
                changes[each.name] = batches
        return replace(entity, **changes)

    return fitting(generated(kind.type, random, full=True))


def moved(kind: Kind, entity: Any, by: int) -> Any:
    """Return the message with all its offsets moved, those of its batches included."""
    names = OFFSETS[kind.direction][kind.key]
    changes: dict[str, Any] = {}
    for each in fields(entity):
        value = getattr(entity, each.name)
        if each.name == "snapshot_id":
            continue
        if is_dataclass(value):
            changes[each.name] = moved(kind, value, by)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[each.name] = tuple(moved(kind, element, by) for element in value)
        elif each.name in names:
            changes[each.name] = value + by
        elif each.name == "records" and kind.direction == "response":
            changes[each.name] = rebased(value, by)
    return replace(entity, **changes)


def rebased(records: bytes, by: int) -> bytes:
    """Return the batches with other base offsets."""
    out, at = bytearray(records), 0
    while at + 12 <= len(out):
        base, length = struct.unpack_from(">qi", out, at)
        struct.pack_into(">q", out, at, base + by)
        at += 12 + length
    return bytes(out)


def written(entity: Any) -> bytes:
    """Return its bytes, with tagged fields from the future where it can have any."""
    return Written(entity, UNKNOWN_TAGS if entity.__flexible__ else ()).bytes


def topics_in(entity: Any) -> set[tuple[Any, int]]:
    """Return topic (name or id) and partition of everything that the message is about."""
    found: set[tuple[Any, int]] = set()

    def look(entity: Any, topic: Any) -> None:
        for name in ("name", "topic", "topic_name", "topic_id"):
            topic = getattr(entity, name, topic)
        for name in ("partition_index", "index", "partition"):
            if isinstance(index := getattr(entity, name, None), int) and topic is not None:
                found.add((topic, index))
        for each in fields(entity):
            value = getattr(entity, each.name)
            if is_dataclass(value):
                look(value, topic)
            elif isinstance(value, tuple) and value and is_dataclass(value[0]):
                for element in value:
                    look(element, topic)

    look(entity, None)
    return found


def question(
    kind: Kind, body: bytes = b"", *, cluster: str = "standby", peer: Peer | None = None, client_id: str = "app"
) -> Question:
    """Return a request of this kind over a connection to a cluster."""
    return Question(kind.key, kind.version, 1, client_id, body, Knowledge(cluster), peer or Peer("10.0.0.9", 50_000))
