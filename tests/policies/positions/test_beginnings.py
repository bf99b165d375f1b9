"""Where groups begin that were at work before the switch and have no offsets on the new side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace
from appliance.exchange.message import Answer
from appliance.policies.positions.beginnings import Beginnings
from appliance.policies.positions.offset_maps import Partition
from appliance.wire.codec import encode
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated

every_version = pytest.mark.parametrize("version", range(1, 11))


def answer(version: int, offset: int, code: ErrorCode = ErrorCode.none) -> Any:
    """Return what the broker says of partition 0 of `orders` and group `billing`."""
    kind = Kind("OffsetFetch", version, "response")
    entity = generated(kind.type, Random(version), full=True)
    topics = entity.groups[0].topics if version >= 8 else entity.topics
    changes: dict[str, Any] = {"partition_index": 0, "committed_offset": offset, "error_code": code}
    partition = replace(topics[0].partitions[0], **changes)
    name = {"name": "orders"} if version < 10 else {}
    topic = replace(topics[0], partitions=(partition,), **name)
    if version >= 8:
        return replace(entity, groups=(replace(entity.groups[0], group_id="billing", topics=(topic,)),))
    return replace(entity, topics=(topic,))


def told(
    version: int, entity: Any, offsets: Mapping[Partition, int] | None, *, had: bool = True, cluster: str = "standby"
) -> bytes:
    """Return what the client hears."""
    beginnings = Beginnings("standby", offsets, lambda group: had and group == "billing")
    kind = Kind("OffsetFetch", version, "request")
    request = generated(kind.type, Random(1), full=True)
    if version < 8:
        request = replace(request, group_id="billing")
    its = question(kind, encode(request), cluster=cluster)
    if version >= 10:
        its.knowledge.learn_topic(entity.groups[0].topics[0].topic_id.bytes, "orders")
    assert beginnings.on_request(its) is None
    verdict = beginnings.on_response(Answer(its, written(entity)))
    assert verdict is None or isinstance(verdict, Replace)
    return written(entity) if verdict is None else verdict.body


@every_version
def test_a_group_without_an_offset_begins_as_declared(version: int):
    assert told(version, answer(version, -1), {("orders", 0): 17}) == written(answer(version, 17))


@every_version
def test_or_is_refused(version: int):
    assert told(version, answer(version, -1), None) == written(answer(version, -1, ErrorCode.group_id_not_found))


@every_version
def test_a_committed_offset_stays(version: int):
    entity = answer(version, 5)
    assert told(version, entity, {("orders", 0): 17}) == told(version, entity, None) == written(entity)


def test_errors_new_groups_other_partitions_and_the_old_side_are_left_alone():
    failed = answer(8, -1, ErrorCode.unstable_offset_commit)
    assert told(8, failed, {("orders", 0): 17}) == written(failed)
    absent = answer(8, -1)
    assert told(8, absent, {("orders", 0): 17}, had=False) == written(absent)
    assert told(8, absent, {("orders", 1): 17}) == written(absent)
    assert told(8, absent, {("orders", 0): 17}, cluster="primary") == written(absent)


def test_only_offset_fetch_is_looked_into():
    beginnings = Beginnings("standby", None, lambda group: True)  # noqa: ARG005
    assert [key for key in range(100) if beginnings.wants_request(key, 5)] == [9]
    assert [key for key in range(100) if beginnings.wants_response(key, 5)] == [9]
