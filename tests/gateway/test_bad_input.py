"""Bytes that are not Kafka's: one clear line for the operator, the end of that connection, nothing for the others."""

import random
import struct

import pytest

from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.scene import scene

LIMIT = 100_000
TLS_HELLO = bytes.fromhex("160301020001000001fc0303") + bytes(500)
NONSENSE = [
    pytest.param(TLS_HELLO, "a TLS handshake", id="tls-hello"),
    pytest.param(b"GET /metrics HTTP/1.1\r\nHost: kafka\r\n\r\n", "an HTTP request", id="http"),
    pytest.param(struct.pack(">i", LIMIT + 1) + bytes(20), f"a request of {LIMIT + 1} bytes", id="huge"),
    pytest.param(b"\x7f\xff\xff\xff" + bytes(20), "2147483647 bytes", id="largest"),
    pytest.param(b"\xff\xff\xff\xff" + bytes(20), "a frame of -1 bytes", id="negative"),
    pytest.param(bytes(24), "a frame of 0 bytes", id="zeros"),
    pytest.param(b"\xde\xad\xbe\xef" * 8, "found a frame of", id="garbage"),
]


@pytest.mark.parametrize(("nonsense", "explanation"), NONSENSE)
async def test_what_is_not_kafka_is_told_in_one_line_and_closed(nonsense: bytes, explanation: str, log: Log):
    async with scene(limits=LimitsSpec.model_validate({"frame": f"{LIMIT}B"})) as here:
        client = await here.client()
        await client.send(nonsense)
        await client.closed()
        assert explanation in log.only_line
        assert "listener plain" in log.only_line
        await here.is_served()
        assert len(log.lines) == 1


@pytest.mark.parametrize(("nonsense", "explanation"), NONSENSE)
async def test_nonsense_on_one_connection_does_not_touch_another(nonsense: bytes, explanation: str, log: Log):
    async with scene(limits=LimitsSpec.model_validate({"frame": f"{LIMIT}B"})) as here:
        other, conversation = await here.link()
        await other.send(messages.opaque(2))
        asked = await conversation.expect_request()
        client = await here.client()
        await client.send(nonsense)
        await client.closed()
        await conversation.answer(asked, b"still here")
        assert await other.receive() == (2, b"still here")
        assert explanation in log.only_line


async def test_random_bytes_never_hurt_the_gateway():
    generator = random.Random(20)
    async with scene(limits=LimitsSpec.model_validate({"frame": f"{LIMIT}B"})) as here:
        for _ in range(100):
            client = await here.client()
            await client.send(generator.randbytes(generator.randrange(1, 200)))
            await client.stream.aclose()
        await here.is_served()


async def test_random_bytes_behind_a_plausible_length_never_hurt_the_gateway():
    generator = random.Random(21)
    async with scene(limits=LimitsSpec.model_validate({"frame": f"{LIMIT}B"})) as here:
        for _ in range(200):
            client = await here.client()
            size = generator.randrange(10, 60)
            api_key, api_version = generator.choice([0, 1, 3, 10, 18, 22, 60]), generator.choice([-1, 0, 3, 9, 12, 99])
            noise = generator.randbytes(size - 4)
            await client.send(struct.pack(">ihh", size, api_key, api_version) + noise)
            await client.stream.aclose()
        await here.is_served()


async def test_a_frame_that_the_client_cuts_off_is_told_and_does_not_keep_the_connection(log: Log):
    async with scene() as here:
        client, _ = await here.link()
        await client.send(messages.opaque(2, bytes(100))[:50])
        await client.stream.send_eof()
        assert await client.rest() == b""
        assert "in the middle of a request" in log.only_line
        await here.is_served()


async def test_an_answer_that_the_broker_cuts_off_is_told_and_ends_the_connection(log: Log):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2))
        asked = await conversation.expect_request()
        await conversation.stream.send_all(messages.response(asked.correlation_id, bytes(100))[:40])
        await conversation.stream.aclose()
        assert len(await client.rest()) == 40
        assert "in the middle of a response" in log.only_line
        assert "primary" in log.only_line
        await here.is_served()


async def test_an_answer_to_an_unknown_request_is_told_and_ends_the_connection(log: Log):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2))
        await conversation.expect_request()
        await conversation.stream.send_all(messages.response(4711, b"for somebody else"))
        assert await client.rest() == b""
        assert "expected the answer to request 2, found one to 4711" in log.only_line
        await here.is_served()


async def test_an_answer_that_nobody_asked_for_is_told_and_ends_the_connection(log: Log):
    async with scene() as here:
        client, conversation = await here.link()
        await conversation.stream.send_all(messages.response(4711, b"out of the blue"))
        assert await client.rest() == b""
        assert "the broker answered request 4711, but no request is waiting" in log.only_line
        await here.is_served()


async def test_a_metadata_answer_that_is_none_is_told_and_ends_the_connection(log: Log):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.metadata(2))
        await conversation.answer(await conversation.expect_request(), b"\xff" * 30)
        assert await client.rest() == b""
        assert len(log.lines) == 1
        await here.is_served()


async def test_a_broker_that_resets_ends_only_that_connection():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2))
        await conversation.expect_request()
        conversation.stream.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: close by a reset
        conversation.stream.socket.close()
        await client.closed()
        await here.is_served()
