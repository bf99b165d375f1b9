"""Whole messages as objects: what was encoded is decoded again, and anything else is Malformed."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

from appliance.wire.codec import decode, encode
from appliance.wire.errors import Malformed
from tests.wire.messages import APIS, UNKNOWN_TAGS, Written, generated, kinds_of


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
