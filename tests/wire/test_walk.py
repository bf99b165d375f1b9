"""Walks find, in any kind of message, exactly the bytes of the wanted fields; whatever comes, only Malformed."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.static.protocol import Entity

from appliance.wire.codec import encode
from appliance.wire.errors import Malformed
from appliance.wire.walk import Place, Streaming, Walk, thorough_walk, walk_of
from tests.wire.messages import APIS, UNKNOWN_TAGS, Kind, Written, generated, kinds_of, leaf_paths

MANY_SHAPES = [
    Kind("Fetch", 17, "response"),
    Kind("Fetch", 4, "response"),
    Kind("Produce", 13, "request"),
    Kind("Produce", 10, "response"),
    Kind("Metadata", 13, "response"),
    Kind("Metadata", 1, "response"),
    Kind("ApiVersions", 3, "response"),
    Kind("DescribeQuorum", 2, "response"),
    Kind("ConsumerGroupHeartbeat", 1, "response"),
    Kind("DescribeTopicPartitions", 0, "response"),
]
"""Legacy and compact, nested and nullable, tags at the end and within, records."""

shapes = pytest.mark.parametrize("kind", MANY_SHAPES, ids=lambda kind: f"{kind.api}-v{kind.version}-{kind.direction}")
per_api = pytest.mark.parametrize("api", APIS)


def walk_for(kind: Kind, wanted: tuple[str, ...] | None = None) -> Walk:
    return walk_of(kind.key, kind.version, kind.direction, wanted or all_fields(kind))


def all_fields(kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leaf_paths(kind.type)))


def named(walk: Walk, places: list[Place]) -> list[tuple[str, int, int]]:
    return [(walk.wanted[field], start, end) for field, start, end in places]


def examples(kind: Kind) -> list[object]:
    return [
        generated(kind.type, Random(1), full=True),
        generated(kind.type, Random(2)),
        generated(kind.type, Random(3)),
    ]


def streamed(walk: Walk, body: bytes, cuts: list[int]) -> tuple[list[Place], bool]:
    """Give the body to a streaming walk in pieces, each in a buffer of its own that is gone afterwards."""
    found: list[Place] = []
    streaming: Streaming | None = None
    at = 0
    for cut in [*cuts, len(body)]:
        if at > cut or (streaming is not None and streaming.done):
            continue
        piece = bytearray(b"\xee\xee\xee" + body[at:cut])
        if streaming is None:
            streaming = walk.stream(piece, 3, len(piece))
        else:
            streaming.feed(piece, 3, len(piece))
        found += [Place(field, start - 3 + at, end - 3 + at) for field, start, end in streaming.found]
        at += streaming.at - 3
        piece[:] = b"\xee" * len(piece)
    assert streaming is not None
    return found, streaming.done and at <= len(body)


@per_api
def test_the_oracle_writes_what_kio_writes(api: str):
    for kind in kinds_of(api):
        for message in examples(kind):
            assert Written(message).bytes == encode(message), kind


@per_api
def test_every_field_of_every_version_is_found_where_it_stands(api: str):
    for kind in kinds_of(api):
        walk = walk_for(kind)
        for message in examples(kind):
            written = Written(message)
            assert named(walk, walk.places(written.bytes, 0, len(written.bytes))) == written.leaves, kind


@per_api
def test_any_choice_of_fields_is_found_with_the_others_skipped(api: str):
    random = Random(api)
    for kind in kinds_of(api):
        everything = all_fields(kind)
        if not everything:
            continue
        wanted = tuple(random.sample(everything, random.randint(1, min(3, len(everything)))))
        walk = walk_for(kind, wanted)
        for message in examples(kind):
            written = Written(message)
            expected = [leaf for leaf in written.leaves if leaf.path in wanted]
            assert named(walk, walk.places(written.bytes, 0, len(written.bytes))) == expected, (kind, wanted)


@per_api
def test_unknown_tagged_fields_are_passed_over(api: str):
    for kind in kinds_of(api):
        if not kind.type.__flexible__:
            continue
        walk = walk_for(kind)
        for message in examples(kind):
            written = Written(message, UNKNOWN_TAGS)
            assert named(walk, walk.places(written.bytes, 0, len(written.bytes))) == written.leaves, kind


@per_api
def test_a_walk_for_all_fields_ends_at_the_end_of_the_message(api: str):
    for kind in kinds_of(api):
        body = encode(generated(kind.type, Random(4), full=True))
        walk = walk_for(kind) if all_fields(kind) else walk_of(kind.key, kind.version, kind.direction, ())
        streaming = walk.stream(body, 0, len(body))
        has_tags = any("tag" in each.metadata for each in kind.type.__dataclass_fields__.values())
        # Where no tagged field is known at the top, nobody needs the last byte: the count of tags, 0.
        unread = 1 if kind.type.__flexible__ and not has_tags else 0
        if all_fields(kind):
            assert (streaming.done, streaming.at) == (True, len(body) - unread), kind


@per_api
def test_a_message_that_breaks_off_is_malformed_at_every_byte(api: str):
    for kind in kinds_of(api):
        walk = walk_for(kind)
        body = encode(generated(kind.type, Random(5)))
        needed = walk.stream(body, 0, len(body)).at
        for end in range(needed):
            with pytest.raises(Malformed):
                walk.places(body, 0, end)


@per_api
def test_flipped_bytes_are_malformed_at_worst(api: str):
    random = Random(api)
    for kind in kinds_of(api):
        walk = walk_for(kind)
        body = encode(generated(kind.type, random))
        for _ in range(12 if body else 0):
            broken = bytearray(body)
            for _ in range(random.randint(1, 4)):
                broken[random.randrange(len(broken))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            assert_only_malformed(walk, broken)


def assert_only_malformed(walk: Walk, body: bytes | bytearray) -> None:
    try:
        places = walk.places(body, 0, len(body))
    except Malformed:
        return
    assert all(0 <= start <= end <= len(body) for _, start, end in places)


@per_api
def test_a_thorough_walk_goes_over_every_message_to_its_last_byte_and_not_over_less(api: str):
    for kind in kinds_of(api):
        entity: type[Entity] = kind.type
        walk = thorough_walk(entity)
        for message in examples(kind):
            for unknown in ((), UNKNOWN_TAGS) if kind.type.__flexible__ else ((),):
                body = Written(message, unknown).bytes
                streaming = walk.stream(body, 0, len(body))
                assert (streaming.done, streaming.at, streaming.found) == (True, len(body), []), kind
                for end in range(len(body))[:: max(len(body) // 50, 1)]:
                    with pytest.raises(Malformed):
                        walk.places(body, 0, end)


@shapes
def test_hostile_lengths_and_counts_are_malformed_at_worst(kind: Kind):
    body = encode(generated(kind.type, Random(6), full=True))[:1200]
    every, last = walk_for(kind), walk_for(kind, all_fields(kind)[-1:])
    for hostile in (
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff",
        b"\x80\0\0\0",
        b"\xff\xff\xff\xff\x7f",
        b"\xff" * 6,
        b"\x7f\xff",
    ):
        for at in range(len(body) - len(hostile)):
            broken = body[:at] + hostile + body[at + len(hostile) :]
            assert_only_malformed(every, broken)
            assert_only_malformed(last, broken)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind("Metadata", 1, "response"), b"\x7f\xff\xff\xff"),
        (Kind("Metadata", 1, "response"), b"\x80\0\0\0"),
        (Kind("Metadata", 13, "response"), b"\0\0\0\0\xff\xff\xff\xff\x0f"),
        (Kind("Metadata", 13, "response"), b"\0\0\0\0\x80\x80\x80\x80\x80\x01"),
        (Kind("Metadata", 13, "response"), b"\0\0\0\0\x01\xff\xff\xff\xff\x0f"),
    ],
)
def test_a_hostile_count_with_nothing_behind_it_is_malformed(kind: Kind, body: bytes):
    with pytest.raises(Malformed):
        walk_for(kind).places(body, 0, len(body))


def test_a_length_below_null_says_what_was_found():
    with pytest.raises(Malformed, match="expected a length, found -2"):
        walk_for(Kind("Metadata", 1, "request")).places(b"\xff\xff\xff\xfe", 0, 4)


@shapes
def test_one_byte_at_a_time_finds_the_same(kind: Kind):
    walk = walk_for(kind)
    for message in examples(kind):
        body = Written(message, UNKNOWN_TAGS if kind.type.__flexible__ else ()).bytes
        assert streamed(walk, body, list(range(len(body)))) == (walk.places(body, 0, len(body)), True)


@shapes
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_cut_finds_the_same(kind: Kind, data: st.DataObject):
    message = generated(kind.type, data.draw(st.randoms(use_true_random=False)))
    written = Written(message)
    wanted = data.draw(st.lists(st.sampled_from(all_fields(kind)), min_size=1, unique=True))
    walk = walk_for(kind, tuple(wanted))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written.bytes)), max_size=6)))
    places = walk.places(written.bytes, 0, len(written.bytes))
    assert named(walk, places) == [leaf for leaf in written.leaves if leaf.path in wanted]
    assert streamed(walk, written.bytes, cuts) == (places, True)


@shapes
def test_a_stream_that_breaks_off_is_never_done(kind: Kind):
    walk = walk_for(kind)
    body = encode(generated(kind.type, Random(7)))
    needed = walk.stream(body, 0, len(body)).at
    for end in range(needed):
        assert streamed(walk, body[:end], [end // 2])[1] is False


def test_places_count_from_where_the_message_stands_in_the_buffer():
    kind = Kind("FindCoordinator", 0, "response")
    written = Written(generated(kind.type, Random(8), full=True))
    walk = walk_for(kind)
    shifted = [(path, start + 5, end + 5) for path, start, end in written.leaves]
    assert named(walk, walk.places(b"12345" + written.bytes + b"67", 5, 5 + len(written.bytes))) == shifted


def test_a_tagged_array_wanted_as_a_whole_is_its_tag_and_size():
    kind = Kind("Fetch", 17, "response")
    message = generated(kind.type, Random(9), full=True)
    body = encode(message)
    (place,) = walk_for(kind, ("node_endpoints",)).places(body, 0, len(body))
    tag, *size = body[place.start : place.end]
    assert tag == 0
    length = size[0] if len(size) == 1 else (size[0] & 0x7F) | size[1] << 7
    assert place.end + length == len(body)


def test_fields_that_a_version_does_not_have_are_never_found():
    kind = Kind("Metadata", 1, "response")
    body = encode(generated(kind.type, Random(10), full=True))
    assert walk_for(kind, ("topics.topic_id", "no.such.field")).places(body, 0, len(body)) == []


def test_a_walk_stops_behind_the_last_wanted_field():
    kind = Kind("Metadata", 13, "response")
    body = encode(generated(kind.type, Random(11), full=True))
    walk = walk_for(kind, ("brokers.port",))
    last = walk.places(body, 0, len(body))[-1]
    assert walk.places(body, 0, last.end + 200)
    assert walk.stream(body, 0, len(body)).at < len(body) / 2


@pytest.mark.parametrize("kind", [Kind("Fetch", version, "response") for version in (4, 11, 12, 18)], ids=str)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_the_size_of_bytes_is_found_in_front_of_them_and_the_bytes_are_leapt_over(kind: Kind, step: int):
    body = encode(generated(kind.type, Random(1), full=True))
    whole = walk_for(kind, ("responses.partitions.records",)).places(body, 0, len(body))
    sizes = walk_for(kind, ("responses.partitions.records.size",))
    prefixes = sizes.places(body, 0, len(body))
    assert [start for _, start, _ in prefixes] == [start for _, start, _ in whole]
    for (_, _, behind), (_, _, end) in zip(prefixes, whole, strict=True):
        assert 0 < behind < end
    assert streamed(sizes, body, list(range(step, len(body), step)))[0] == prefixes
