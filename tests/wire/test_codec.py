"""Whole messages as objects: what was encoded is decoded again, and anything else is Malformed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any, get_args, get_origin

import pytest

from appliance.wire.codec import decode, encode
from appliance.wire.errors import Malformed
from tests.wire.messages import APIS, UNKNOWN_TAGS, Kind, Written, generated, kinds_of


@pytest.mark.parametrize("api", APIS)
def test_messages_survive_the_way_through_bytes(api: str):
    for kind in kinds_of(api):
        message = generated(kind.type, Random(1))
        body = encode(message)
        assert encode(decode(kind.type, body)) == body, kind
        assert decode(kind.type, memoryview(body)) == decode(kind.type, body)


@pytest.mark.parametrize("api", APIS)
def test_broken_messages_are_malformed_and_nothing_else(api: str):
    random = Random(api)
    for kind in kinds_of(api):
        body = encode(generated(kind.type, random))
        for _ in range(10 if body else 0):
            broken = bytearray(body[: random.randint(1, len(body))])
            for _ in range(random.randint(0, 3)):
                broken[random.randrange(len(broken))] = random.choice((0, 0x7F, 0x80, 0xFF, random.randrange(256)))
            with suppress(Malformed):
                decode(kind.type, bytes(broken))


@pytest.mark.parametrize("api", APIS)
def test_fields_that_kio_does_not_know_are_malformed(api: str):
    for kind in kinds_of(api):
        if kind.type.__flexible__:
            body = Written(generated(kind.type, Random(1)), UNKNOWN_TAGS).bytes
            with pytest.raises(Malformed):
                decode(kind.type, body)


HOSTILE_COUNTS = (b"\x7f\xff\xff\xff", b"\x3f\xff\xff\xff", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x04")
"""Counts of an array, plain and compact, whose elements no machine has room for."""


@pytest.mark.parametrize(
    "kind",
    [
        Kind("Produce", 9, "request"),
        Kind("Produce", 3, "request"),
        Kind("Fetch", 17, "response"),
        Kind("Metadata", 1, "response"),
        Kind("DescribeQuorum", 2, "response"),
        Kind("StreamsGroupDescribe", 0, "response"),
    ],
    ids=str,
)
def test_a_count_that_the_bytes_do_not_cover_is_malformed_before_anything_is_allocated_for_it(kind: Kind):
    body = encode(generated(kind.type, Random(6), full=True))[:1500]
    for hostile in HOSTILE_COUNTS:
        for at in range(len(body) - len(hostile)):
            with suppress(Malformed):
                decode(kind.type, body[:at] + hostile + body[at + len(hostile) :])


@pytest.mark.parametrize("api", APIS)
def test_null_where_there_is_none_is_malformed(api: str):
    for kind in kinds_of(api):
        message = generated(kind.type, Random(1), full=True)
        for each in fields(message):
            if get_origin(each.type) is tuple and "tag" not in each.metadata:
                body = Written(replace(message, **{each.name: None})).bytes
                with pytest.raises(Malformed):
                    decode(kind.type, body)


@pytest.mark.parametrize("api", APIS)
def test_whatever_could_be_read_can_be_written_again(api: str):
    random = Random(api)
    for kind in kinds_of(api):
        body = encode(generated(kind.type, random, full=True))
        for _ in range(20 if body else 0):
            broken = bytearray(body)
            for _ in range(random.randint(1, 3)):
                broken[random.randrange(len(broken))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            with suppress(Malformed):
                encode(decode(kind.type, bytes(broken)))


def test_a_tagged_field_that_is_not_as_long_as_it_says_is_malformed():
    kind = Kind("Fetch", 17, "response")
    message = generated(kind.type, Random(1), full=True)
    body = encode(replace(message, responses=(), node_endpoints=message.node_endpoints[:1]))
    size_at = body.index(b"\x01\0", 8) + 2
    assert decode(kind.type, body).node_endpoints == message.node_endpoints[:1]
    with pytest.raises(Malformed, match="not as long as it says"):
        decode(kind.type, body[:size_at] + bytes((body[size_at] - 1,)) + body[size_at + 1 :])


def elements(kind: type[Any]) -> list[type[Any]]:
    """Return all structs of which a message has arrays."""
    found = []
    for each in fields(kind):
        inner = next((a for a in (each.type, *get_args(each.type)) if get_origin(a) is tuple), None)
        struct = get_args(inner)[0] if inner else each.type
        if is_dataclass(struct):
            assert isinstance(struct, type)
            found += [*([struct] if inner else []), *elements(struct)]
    return found


def test_no_element_of_an_array_is_empty_so_that_every_count_costs_bytes():
    assert all(fields(each) for api in APIS for kind in kinds_of(api) for each in elements(kind.type))
