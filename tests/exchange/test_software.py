"""What clients say of themselves, and what is not taken for it."""

from __future__ import annotations

import pytest
from kio.schema.api_versions.v3.request import ApiVersionsRequest

from appliance.exchange.software import UNTOLD, Software, software_in
from appliance.wire.apis import Api
from appliance.wire.codec import encode
from appliance.wire.headers import request_frame
from tests.exchange.shell import Scripted, Shell, produce


def said(name: str, version: str) -> bytes:
    return encode(ApiVersionsRequest(client_software_name=name, client_software_version=version))


def test_a_client_says_its_software_and_version():
    assert software_in(3, said("apache-kafka-java", "4.3.1")) == Software("apache-kafka-java", "4.3.1")


@pytest.mark.parametrize(
    ("version", "body"),
    [
        (2, b""),
        (99, said("future", "1")),
        (3, said("", "")),
        (3, said("java", "4.3\n1")),
        (3, said("\x1b[2J", "1")),
        (3, said("x" * 65, "1")),
        (3, said("java", "1")[:4]),
        (3, b""),
    ],
)
def test_all_else_says_nothing(version: int, body: bytes):
    assert software_in(version, body) == UNTOLD


def test_a_connection_knows_what_it_was_told_last():
    shell = Shell()
    assert shell.exchange.software == UNTOLD
    request = request_frame(Api.API_VERSIONS, 3, 1, "app", said("librdkafka", "2.16.0"))
    shell.send(request)
    assert shell.exchange.software == Software("librdkafka", "2.16.0")
    assert shell.upstream == request, "the broker is told the same"


@pytest.mark.parametrize("scripted", [(), (Scripted(frozenset({Api.PRODUCE})),)], ids=["opaque", "looked into"])
def test_a_connection_knows_how_long_its_client_waits_for_a_write(scripted: tuple[Scripted, ...]):
    shell = Shell(*scripted)
    shell.send(produce(1, rest=(9000).to_bytes(4, "big") + b"records"))
    assert shell.exchange.produce_timeout == 9.0


def test_a_timeout_that_comes_in_the_next_piece_is_seen_in_the_next_request():
    shell, frame = Shell(), produce(1, rest=(9000).to_bytes(4, "big") + b"records")
    shell.send(frame, [len(frame) - 9])
    assert shell.exchange.produce_timeout is None
    shell.send(frame)
    assert shell.exchange.produce_timeout == 9.0
