"""Continuous offsets: all APIs, all versions, both directions, and Fetch as it streams."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Close, Replace
from appliance.exchange.message import Answer, Peer, Question
from appliance.policies.positions.continuous import Continuous
from appliance.policies.positions.offset_map import OUT_OF_RANGE, UNKNOWN, OffsetMap, Segment, shifted
from appliance.policies.positions.offset_maps import PositionMaps
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import request_frame, response_frame
from tests.exchange.shell import Shell
from tests.policies.positions.messages import OFFSETS, batch, kinds, message, moved, question, topics_in, written
from tests.wire.messages import Kind, generated

BY = 300

every_request = pytest.mark.parametrize("kind", kinds("request"), ids=str)
every_response = pytest.mark.parametrize("kind", kinds("response"), ids=str)


def continuous(entity: Any, its: Question, by: OffsetMap | None = None, **options: Any) -> Continuous:
    """Return the interceptor for which everything in this message differs by 300 on the standby."""
    maps = {}
    for topic, partition in topics_in(entity):
        name = topic
        if not isinstance(topic, str):
            name = f"topic-{topic}"
            its.knowledge.learn_topic(topic.bytes, name)
        maps[name, partition] = by or shifted(BY)
    return Continuous(PositionMaps().with_cluster("standby", maps), **options)


@every_request
@pytest.mark.parametrize("seed", range(2))
def test_every_offset_in_a_request_is_asked_for_as_the_cluster_has_it(kind: Kind, seed: int):
    entity = message(kind, seed)
    its = question(kind, written(entity))
    its.body = written(entity)
    interceptor = continuous(entity, its)
    assert interceptor.wants_request(kind.key, kind.version)
    assert interceptor.on_request(its) == Replace(written(moved(kind, entity, -BY)))


@every_response
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("writable", [True, False])
def test_every_offset_in_an_answer_is_shown_as_clients_know_it(kind: Kind, seed: int, writable: bool):
    entity = message(kind, seed)
    its = question(kind)
    interceptor = continuous(entity, its)
    assert interceptor.wants_response(kind.key, kind.version)
    body = written(entity)
    expected = written(moved(kind, entity, BY))
    if writable:
        buffer = bytearray(body)
        assert interceptor.on_response(Answer(its, memoryview(buffer))) is None
        assert bytes(buffer) == expected
    else:
        assert interceptor.on_response(Answer(its, body)) == Replace(expected)


HOLE_AT_THE_END = OffsetMap((Segment(0, 0), Segment(50, 60)))
"""Of the cluster's 50 records the last has 49 for clients too; its next one will have 60."""


@pytest.mark.parametrize("version", range(1, 11))
@pytest.mark.parametrize(
    ("timestamp", "offset"),
    [(-1, 50), (-2, 60), (1_700_000_000_000, 60)],
    ids=["the end", "the beginning", "the first record since"],
)
def test_only_who_asks_for_the_end_of_a_log_is_told_what_stands_right_behind_its_last_record(
    version: int, timestamp: int, offset: int
):
    kind = Kind("ListOffsets", version, "request")
    request = generated(kind.type, Random(1), full=True)
    topic = request.topics[0]
    asked = replace(topic.partitions[0], partition_index=0, timestamp=timestamp)
    its = question(kind, encode(replace(request, topics=(replace(topic, name="orders", partitions=(asked,)),))))
    interceptor = Continuous(PositionMaps().with_cluster("standby", {("orders", 0): HOLE_AT_THE_END}))
    assert interceptor.on_request(its) is None
    answer = generated(Kind("ListOffsets", version, "response").type, Random(1), full=True)
    topic = answer.topics[0]
    found = replace(topic.partitions[0], partition_index=0, offset=50)
    body = bytearray(encode(replace(answer, topics=(replace(topic, name="orders", partitions=(found,)),))))
    interceptor.on_response(Answer(its, body))
    (shown,) = decode(type(answer), bytes(body)).topics[0].partitions
    assert shown.offset == offset


@pytest.mark.parametrize("kind", [*kinds("request"), *kinds("response")], ids=str)
def test_what_is_minus_one_stays_so(kind: Kind):
    names = OFFSETS[kind.direction][kind.key]

    def without(entity: Any) -> Any:
        changes: dict[str, Any] = {}
        for name in entity.__dataclass_fields__:
            value = getattr(entity, name)
            if name in names:
                changes[name] = -1
            elif isinstance(value, tuple) and value and hasattr(value[0], "__dataclass_fields__"):
                changes[name] = tuple(without(each) for each in value)
            elif name == "records":
                changes[name] = b""
            elif name == "diverging_epoch":
                changes[name] = replace(value, end_offset=-1)
        return replace(entity, **changes)

    entity = without(message(kind, 1))
    its = question(kind, written(entity))
    interceptor = continuous(entity, its)
    if kind.direction == "request":
        assert interceptor.on_request(its) is None
    else:
        assert interceptor.on_response(Answer(its, written(entity))) == Replace(written(entity))


@every_request
def test_a_connection_to_another_cluster_has_that_clusters_offsets(kind: Kind):
    entity = message(kind, 1)
    its = question(kind, written(entity), cluster="primary")
    assert continuous(entity, its).on_request(its) is None


def test_partitions_that_do_not_differ_are_left_alone():
    kind = Kind("Fetch", 12, "request")
    entity = message(kind, 1)
    its = question(kind, written(entity))
    assert Continuous(PositionMaps().with_cluster("standby", {("another", 0): shifted(9)})).on_request(its) is None


def test_nothing_else_is_looked_into():
    interceptor = Continuous(PositionMaps().with_cluster("standby", {("t", 0): shifted(9)}))
    requests = {key for key in range(100) if interceptor.wants_request(key, 3 if key == Api.PRODUCE else 4)}
    assert Api.PRODUCE not in requests, "a Produce request carries no offset, and passes as it comes"
    assert Api.METADATA not in requests
    assert {key for key in range(100) if interceptor.wants_response(key, 1)} <= set(OFFSETS["response"])


@pytest.mark.parametrize("api", [Api.FETCH, Api.PRODUCE, Api.LIST_OFFSETS])
def test_a_version_that_was_not_offered_closes_the_connection(api: Api):
    interceptor = Continuous(PositionMaps().with_cluster("standby", {("t", 0): shifted(9)}))
    assert interceptor.wants_request(api, 99)
    verdict = interceptor.on_request(question(Kind("Fetch", 12, "request")._replace(api=api_name(api), version=99)))
    assert isinstance(verdict, Close)
    assert "version 99, which it was not offered" in verdict.reason


def api_name(api: Api) -> str:
    return "".join(part.capitalize() for part in api.name.split("_"))


def test_a_topic_id_that_was_never_seen_closes_the_connection():
    kind = Kind("Fetch", 17, "request")
    entity = message(kind, 1)
    its = question(kind, written(entity))
    verdict = Continuous(PositionMaps().with_cluster("standby", {("t", 0): shifted(9)})).on_request(its)
    assert isinstance(verdict, Close)
    assert "not been seen in Metadata yet" in verdict.reason


# -- where the map is not sure

DOUBTFUL = OffsetMap((Segment(0, 0), Segment(11, 11, UNKNOWN), Segment(2_000_000, 2_000_100)))


def fetched(unproven: str) -> tuple[Question, Continuous, Any]:
    kind = Kind("Fetch", 12, "request")
    entity = message(kind, 1)
    its = question(kind, encode(entity))
    return its, continuous(entity, its, DOUBTFUL, unproven=unproven), entity


@pytest.mark.parametrize("unproven", ["reset", "refuse"])
def test_a_fetch_at_an_unknown_place_is_out_of_range_for_the_broker(unproven: str):
    its, interceptor, _ = fetched(unproven)
    verdict = interceptor.on_request(its)
    assert isinstance(verdict, Replace)
    asked = decode(request_type(Api.FETCH, 12), verdict.body)
    assert {part.fetch_offset for topic in asked.topics for part in topic.partitions} == {OUT_OF_RANGE}


def test_who_was_shown_the_unknown_on_this_connection_reads_on_and_nobody_else():
    """Two batches from within the stretch, then the Fetch behind them: by who read them, and by another client."""
    answer_kind, asking = Kind("Fetch", 12, "response"), Kind("Fetch", 12, "request")
    entity = message(answer_kind, 1, records=((100, 119), (120, 129)))
    its = question(asking)
    interceptor = continuous(entity, its, DOUBTFUL)
    interceptor.on_response(Answer(its, bytearray(encode(entity))))
    request = message(asking, 1)
    topic, index = next(iter(topics_in(entity)))
    part = replace(request.topics[0].partitions[0], partition=index, fetch_offset=130)
    request = replace(request, topics=(replace(request.topics[0], topic=topic, partitions=(part,)),))
    for reader, expected in ((its.peer, 130), (Peer("elsewhere", 1), OUT_OF_RANGE)):
        verdict = interceptor.on_request(replace(question(asking, encode(request)), peer=reader))
        assert isinstance(verdict, Replace)
        assert decode(asking.type, verdict.body).topics[0].partitions[0].fetch_offset == expected


@pytest.mark.parametrize(
    ("unproven", "code"), [("reset", ErrorCode.offset_out_of_range), ("refuse", ErrorCode.unknown_server_error)]
)
def test_what_the_client_is_told_then_is_as_declared(unproven: str, code: ErrorCode):
    its, interceptor, request = fetched(unproven)
    interceptor.on_request(its)
    kind = Kind("Fetch", 12, "response")
    template = message(kind, 1, records=())
    topic, part = template.responses[0], template.responses[0].partitions[0]
    parts = [
        replace(topic, topic=asked.topic, partitions=tuple(
            replace(part, partition_index=each.partition, error_code=ErrorCode.offset_out_of_range, records=b"")
            for each in asked.partitions
        ))
        for asked in request.topics
    ]  # fmt: skip
    buffer = bytearray(encode(replace(template, responses=tuple(parts))))
    interceptor.on_response(Answer(its, buffer))
    told = decode(kind.type, bytes(buffer))
    assert {each.error_code for topic in told.responses for each in topic.partitions} == {code}


def test_a_commit_at_an_unknown_place_is_made_where_the_stretch_begins_and_one_below_the_log_at_its_beginning():
    kind = Kind("OffsetCommit", 8, "request")
    for where, expected in ((DOUBTFUL, 11), (shifted(1_000_000), 0)):
        entity = message(kind, 1)
        its = question(kind, encode(entity))
        verdict = continuous(entity, its, where).on_request(its)
        assert isinstance(verdict, Replace)
        made = decode(kind.type, verdict.body)
        assert {part.committed_offset for topic in made.topics for part in topic.partitions} == {expected}


# -- batches


FETCH = Kind("Fetch", 17, "response")


def shown(records: bytes, its_map: OffsetMap, kind: Kind = FETCH) -> bytes:
    """Return a partition's records as the client gets them."""
    entity = message(kind, 1)
    topic = replace(entity.responses[0], partitions=(replace(entity.responses[0].partitions[0], records=records),))
    entity = replace(entity, responses=(topic,))
    its = question(kind)
    buffer = bytearray(encode(entity))
    continuous(entity, its, its_map).on_response(Answer(its, buffer))
    return bytes(decode(kind.type, bytes(buffer)).responses[0].partitions[0].records)


def test_a_batch_over_a_border_gets_one_difference_and_a_commit_from_within_leads_back():
    hole = OffsetMap((Segment(0, 0), Segment(50, 60)))
    entity = message(FETCH, 1, records=((20, 39), (40, 55), (56, 60)))
    its = question(FETCH)
    interceptor = continuous(entity, its, hole)
    buffer = bytearray(encode(entity))
    interceptor.on_response(Answer(its, buffer))
    got = decode(FETCH.type, bytes(buffer)).responses[0].partitions[0].records
    assert got == batch(20, 39) + rebased_batch(40, 55, 10) + rebased_batch(56, 60, 10)
    commit = Kind("OffsetCommit", 8, "request")
    asked = message(commit, 1)
    topic, index = next(iter(topics_in(entity)))
    part = replace(asked.topics[0].partitions[0], partition_index=index, committed_offset=53)
    asked = replace(asked, topics=(replace(asked.topics[0], name=f"topic-{topic}", partitions=(part,)),))
    verdict = interceptor.on_request(question(commit, encode(asked)))
    assert isinstance(verdict, Replace)
    assert decode(commit.type, verdict.body).topics[0].partitions[0].committed_offset == 43


def rebased_batch(base: int, last: int, by: int) -> bytes:
    return (base + by).to_bytes(8, "big") + batch(base, last)[8:]


def test_a_batch_that_is_cut_off_passes_as_far_as_it_goes():
    whole = batch(1000, 1009)
    for kept in range(len(whole)):
        got = shown(batch(900, 999) + whole[:kept], shifted(BY))
        assert got[: len(whole)] == rebased_batch(900, 999, BY)
        assert got[len(whole) + 8 :] == whole[8:kept]


@pytest.mark.parametrize("magic", [0, 1])
def test_records_of_an_old_format_are_refused(magic: int):
    with pytest.raises(Malformed, match=f"message format v{magic}"):
        shown(batch(1000, 1009, magic), shifted(BY))


def test_a_batch_in_which_the_difference_falls_is_refused():
    with pytest.raises(Malformed, match="falls between the offsets 140 and 160"):
        shown(batch(140, 160), OffsetMap((Segment(0, 0), Segment(150, 90))))


def test_bytes_that_are_no_batch_are_malformed():
    with pytest.raises(Malformed, match="expected a record batch"):
        shown(batch(0, 0)[:8] + b"\0\0\0\1" + batch(0, 0)[12:], shifted(BY))


def test_offsets_beyond_64_bits_are_malformed():
    far = shifted((1 << 62) + (1 << 61))
    with pytest.raises(Malformed, match="expected a number of 64 bits"):
        shown(batch((1 << 61) + 5, (1 << 61) + 9), far)
    entity = message(Kind("ListOffsets", 7, "response"), 1)
    part = replace(entity.topics[0].partitions[0], offset=1 << 62)
    entity = replace(entity, topics=(replace(entity.topics[0], partitions=(part,)),))
    its = question(Kind("ListOffsets", 7, "response"))
    with pytest.raises(Malformed, match="expected a number of 64 bits"):
        continuous(entity, its, far).on_response(Answer(its, bytearray(encode(entity))))


# -- a response that streams


@settings(deadline=None, max_examples=80)
@given(
    version=st.sampled_from([4, 7, 11, 12, 13, 16, 17, 18]),
    sizes=st.lists(st.lists(st.integers(34, 40_000), max_size=5), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 400_000), max_size=12),
    cut_off=st.integers(0, 60),
)
def test_a_large_answer_is_changed_as_it_passes_in_any_chunking(
    version: int, sizes: list[list[int]], cuts: list[int], cut_off: int
):
    kind = Kind("Fetch", version, "response")
    entity = message(kind, 1)
    topic, part = entity.responses[0], entity.responses[0].partitions[0]
    sizes = [*sizes, [70_000]]
    parts = []
    for index, its_sizes in enumerate(sizes):
        records = b"".join(batch(1000 * number, 1000 * number + 9, 2, size) for number, size in enumerate(its_sizes))
        records += batch(9000, 9000)[:cut_off]
        parts.append(replace(part, partition_index=index, records=records))
    entity = replace(entity, responses=(replace(topic, partitions=tuple(parts)),))
    if version >= 16:
        entity = replace(entity, node_endpoints=())
    its = question(kind)
    interceptor = continuous(entity, its)
    shell = Shell(interceptor)
    shell.exchange.knowledge = its.knowledge
    asked = replace(message(Kind("Fetch", version, "request"), 1), topics=())
    shell.send(request_frame(Api.FETCH, version, 1, "app", encode(asked)))
    frame = response_frame(Api.FETCH, version, 1, encode(entity))
    shell.answer(frame, cuts)
    expected = expected_fetch(kind, entity, cut_off)
    assert shell.client == response_frame(Api.FETCH, version, 1, expected)
    assert len(shell.exchange.ledger) == 0
    shell.exchange.end_of_responses()


def expected_fetch(kind: Kind, entity: Any, cut_off: int) -> bytes:
    """Return the answer with everything moved; of a batch that was cut off within its head nothing is."""
    its = moved(kind, entity, BY)
    parts = []
    for old, new in zip(entity.responses[0].partitions, its.responses[0].partitions, strict=True):
        records = new.records
        if cut_off and cut_off < 27:
            records = records[: len(records) - cut_off] + old.records[len(records) - cut_off :]
        parts.append(replace(new, records=records))
    return encode(replace(its, responses=(replace(its.responses[0], partitions=tuple(parts)),)))
