"""Reading and writing single records of the gateway's own interest."""

from __future__ import annotations

import datetime
import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from kio.records.readers import read_batch
from kio.records.schema import NewRecordBatch, Record
from kio.records.writers import write_new_batch
from kio.schema.errors import ErrorCode
from kio.serial.errors import SerialError
from kio.static.primitive import i8, i16, i32, i64

from appliance.gateway.client_asking import Asking
from appliance.wire.apis import Api
from appliance.wire.codec import element_type, request_type

_FETCH_BYTES = 4 * 1024 * 1024
_WRITE_SECONDS = 10.0
_BATCH_HEAD = struct.Struct(">qiibIhi")
"""Base offset, length behind it, leader epoch, magic, CRC, attributes, last offset delta: the head of a batch v2."""
_LENGTH_FROM = 12
_CONTROL = 1 << 5
_FIRST_LOOK = 16
_LOOK_FURTHER = 8


class KeyValue(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


class _Batch(NamedTuple):
    base: int
    last: int
    control: bool


async def records(asking: Asking, topic: str, partition: int, from_offset: int, end: int) -> list[KeyValue]:
    """Return keys and values from an offset up to `end`."""
    found: list[KeyValue] = []
    while from_offset < end:
        batches = _records(await _fetch(asking, topic, partition, from_offset))
        if not batches:
            break
        fresh = [each for each in batches if each.offset >= from_offset]
        found += fresh
        from_offset = max((each.offset for each in fresh), default=end) + 1
    return found


async def data_end(asking: Asking, topic: str, partition: int, start: int, end: int) -> int:
    """Return the offset behind the last record below `end` that is not a transaction marker; `start` if none is.

    Looks back from the end, further and further: markers come one after each transaction, so it is seldom far.
    """
    upper, look = end, _FIRST_LOOK
    while upper > start:
        lower = max(start, upper - look)
        found, at = start, lower
        while at < upper:
            batches = list(_heads(await _fetch(asking, topic, partition, at)))
            for batch in batches:
                if batch.base < upper and not batch.control:
                    found = max(found, min(batch.last + 1, upper))
            behind = max((each.last + 1 for each in batches), default=upper)
            if behind <= at:
                break
            at = behind
        if found > start:
            return found
        upper, look = lower, look * _LOOK_FURTHER
    return start


async def write(asking: Asking, topic: str, partition: int, value: bytes) -> int:
    """Append one record with acks=all; return its offset."""
    link = await asking.leader(topic, partition)
    kind = request_type(Api.PRODUCE, link.version(Api.PRODUCE))
    topic_kind = element_type(kind, "topic_data")
    part = element_type(topic_kind, "partition_data")(index=partition, records=_batch_of(value))
    answer = await link.ask(
        Api.PRODUCE,
        kind(
            acks=-1,
            timeout=datetime.timedelta(seconds=_WRITE_SECONDS),
            topic_data=(topic_kind(name=topic, partition_data=(part,)),),
        ),
    )
    (response,) = answer.responses[0].partition_responses
    _forget_at(asking, response.error_code, topic, partition)
    asking.check(response.error_code, f"Produce to {topic}/{partition}")
    return int(response.base_offset)


async def reads_at(asking: Asking, topic: str, partition: int, offset: int) -> bool:
    """Return whether a batch that holds this offset is handed out."""
    return any(each.base <= offset <= each.last for each in _heads(await _fetch(asking, topic, partition, offset)))


async def _fetch(asking: Asking, topic: str, partition: int, offset: int) -> bytes:
    link = await asking.leader(topic, partition)
    kind = request_type(Api.FETCH, link.version(Api.FETCH))
    topic_kind = element_type(kind, "topics")
    partition_kind = element_type(topic_kind, "partitions")
    wanted = partition_kind(partition=partition, fetch_offset=offset, partition_max_bytes=_FETCH_BYTES)
    values: dict[str, Any] = {
        "replica_id": -1,
        "max_wait": datetime.timedelta(milliseconds=500),
        "min_bytes": 1,
        "max_bytes": _FETCH_BYTES,
        "topics": (topic_kind(topic=topic, partitions=(wanted,)),),
    }
    if "forgotten_topics_data" in kind.__dataclass_fields__:
        values["forgotten_topics_data"] = ()
    answer = await link.ask(Api.FETCH, kind(**values))
    found = b""
    for each in answer.responses:
        for part in each.partitions:
            _forget_at(asking, part.error_code, topic, partition)
            asking.check(part.error_code, f"Fetch of {topic}/{partition}")
            found += part.records or b""
    return found


def _forget_at(asking: Asking, code: ErrorCode, topic: str, partition: int) -> None:
    if code in {ErrorCode.not_leader_or_follower, ErrorCode.unknown_topic_or_partition, ErrorCode.fenced_leader_epoch}:
        asking.forget_leader(topic, partition)


def _batch_of(value: bytes) -> bytes:
    out = io.BytesIO()
    # The broker sets the time where it can; the epoch's beginning would let retention delete the record at once.
    now = datetime.datetime.now(datetime.UTC)
    record = Record(attributes=i8(0), timestamp=now, offset=i64(0), key=None, value=value, headers=())  # type: ignore[arg-type]  # kio's own phantom type
    batch = NewRecordBatch(
        producer_id=i64(-1), producer_epoch=i16(-1), base_sequence=i32(-1), records=(record,), attributes=i16(0)
    )
    write_new_batch(out, batch)
    return out.getvalue()


def _heads(batches: bytes) -> Iterator[_Batch]:
    """Read the heads of batches, whatever is in them; a batch that was cut at the end of the answer counts too."""
    at = 0
    while at + _BATCH_HEAD.size <= len(batches):
        base, length, _, magic, _, attributes, delta = _BATCH_HEAD.unpack_from(batches, at)
        if magic < 2:  # before Kafka 0.11: message sets know no control batches
            yield _Batch(base, base, control=False)
        else:
            yield _Batch(base, base + delta, control=bool(attributes & _CONTROL))
        at += _LENGTH_FROM + length


def _records(batches: bytes) -> list[KeyValue]:
    found: list[KeyValue] = []
    at = 0
    while at < len(batches):
        try:
            batch, size = read_batch(batches, at)
        except (SerialError, ValueError, IndexError):
            break  # a batch that was cut at the end of the answer
        at += size
        found += [KeyValue(record.offset, record.key, record.value) for record in batch.records]
    return found
