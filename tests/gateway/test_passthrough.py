"""What the gateway has no word about passes as it is: every byte, in order, however it is cut, and never held."""

import random
import tracemalloc

import pytest
import trio
import trio.testing

from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.messages import Request
from tests.gateway.scene import Scene, scene

NODE_2 = {2: ("real-broker.internal", 9092)}
MEGABYTE = 1 << 20
UNKNOWN_API = 4711


async def in_pieces(stream: trio.SocketStream, data: bytes, size: int) -> None:
    """Send so that each piece arrives alone."""
    for at in range(0, len(data), size):
        await stream.send_all(data[at : at + size])
        await trio.testing.wait_all_tasks_blocked()


QUESTIONS = (
    messages.metadata(2),
    messages.produce(3, bytes(300)),
    messages.produce(4, b"no answer is due", acks=0),
    messages.opaque(5),
    messages.request(UNKNOWN_API, 0, 6, b"from the future"),
    messages.fetch(7),
)


def answers(here: Scene) -> dict[int, bytes]:
    """Return what the broker says, by correlation id; nothing about 4, whose acks are 0."""
    return {
        2: messages.metadata_answer(here.broker.nodes),
        3: messages.produce_answer({2: here.broker.address}),
        5: b"groups",
        6: b"an answer from the future",
        7: messages.fetch_answer(b"all the records", {2: here.broker.address}),
    }


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
async def test_the_same_messages_arrive_however_the_bytes_are_cut(size: int):
    async with scene() as here:
        client, conversation = await here.link()
        said = answers(here)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_pieces, client.stream, b"".join(QUESTIONS), size)
            seen = [await conversation.expect_request() for _ in QUESTIONS]
        assert [each.frame for each in seen] == list(QUESTIONS)
        spoken = b"".join(messages.response(number, body) for number, body in said.items())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_pieces, conversation.stream, spoken, size)
            heard = dict([await client.receive() for _ in said])
        assert list(heard) == [2, 3, 5, 6, 7]
        assert (heard[5], heard[6]) == (said[5], said[6])
        ports = here.door.brokers
        assert messages.brokers_in(heard[2]) == {1: ("127.0.0.1", ports.port_of(1))}
        assert messages.endpoints_in_produce(heard[3]) == {2: ("127.0.0.1", ports.port_of(2))}
        assert messages.endpoints_in_fetch(heard[7]) == {2: ("127.0.0.1", ports.port_of(2))}
        assert b"all the records" in heard[7]


async def test_requests_that_come_before_the_broker_is_connected_are_all_answered():
    async with scene() as here:
        here.broker.answering = trio.Event()  # the gateway does not even know the nodes yet
        client = await here.client()
        for number in range(1, 6):
            await client.send(messages.opaque(number))
        await trio.testing.wait_all_tasks_blocked(0.02)
        here.broker.answering.set()
        conversation = await here.broker.accept()
        for number in range(1, 6):
            asked = await conversation.expect_request()
            assert asked.correlation_id == number
            await conversation.answer(asked, b"x" * number)
        assert [await client.receive() for _ in range(5)] == [(number, b"x" * number) for number in range(1, 6)]


async def test_a_client_that_is_done_asking_still_gets_its_answers():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2) + messages.opaque(3))
        await client.stream.send_eof()
        asked = [await conversation.expect_request() for _ in range(2)]
        assert await client.is_quiet()
        for each in asked:
            await conversation.answer(each, b"late")
        assert [await client.receive() for _ in range(2)] == [(2, b"late"), (3, b"late")]
        assert await client.rest() == b""
        assert await conversation.ended()


async def test_a_write_without_acks_has_no_answer_and_does_not_shift_the_others():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.produce(2, acks=0) + messages.opaque(3) + messages.produce(4, acks=0))
        asked = [await conversation.expect_request() for _ in range(3)]
        await conversation.answer(asked[1], b"the only answer")
        assert await client.receive() == (3, b"the only answer")
        assert here.gateway.writes_in_flight("orders") == 0
        await client.stream.send_eof()
        assert await client.rest() == b""


async def test_an_answer_of_the_gateways_own_waits_its_turn():
    async with scene() as here:
        client, conversation = await here.link()
        newest = messages.request(messages.API_VERSIONS, 99, 3, b"\x02a\x02b\0")
        await client.send(messages.opaque(2) + newest + messages.opaque(4))
        asked = [await conversation.expect_request() for _ in range(2)]
        assert [each.correlation_id for each in asked] == [2, 4], "the gateway answers versions from the future itself"
        assert await client.is_quiet()
        await conversation.answer(asked[0], b"first")
        assert await client.receive() == (2, b"first")
        own = await client.receive_frame()
        assert own[4:10] == (3).to_bytes(4, "big") + (35).to_bytes(2, "big"), "UNSUPPORTED_VERSION, in version 0"
        assert own[10:14] == (1).to_bytes(4, "big")
        assert own[14:16] == (18).to_bytes(2, "big"), "the range of ApiVersions itself is listed (KIP-511)"
        await conversation.answer(asked[1], b"last")
        assert await client.receive() == (4, b"last")


async def test_versions_are_offered_as_far_as_broker_and_gateway_know_them():
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.request(messages.API_VERSIONS, 0, 2, b""))
        offered = [(0, 0, 99), (3, 0, 99), (18, 0, 99), (16, 0, 99), (UNKNOWN_API, 0, 5)]
        await conversation.answer(await conversation.expect_request(), messages.offered_versions(offered))
        frame = await client.receive_frame()
        limited = [(0, 0, 13), (3, 0, 13), (18, 0, 4), (16, 0, 99), (UNKNOWN_API, 0, 5)]
        assert frame[8:] == messages.offered_versions(limited)


async def test_a_client_that_does_not_read_stops_the_reading_from_the_broker():
    total = 64 * MEGABYTE
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.opaque(2))
        asked = await conversation.expect_request()
        flood = Flood(conversation.stream, _announced_response(asked, total))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood.run, total)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert flood.sent < total
            assert await _counted(client.stream, 9 + total) == 9 + total
        assert flood.sent == total


async def test_a_broker_that_does_not_read_stops_the_reading_from_the_client():
    total = 64 * MEGABYTE
    async with scene() as here:
        client, conversation = await here.link()
        head = messages.opaque(2, b"")
        flood = Flood(client.stream, (len(head) - 4 + total).to_bytes(4, "big") + head[4:])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood.run, total)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert flood.sent < total
            assert await _counted(conversation.stream, len(head) + total) == len(head) + total


@pytest.mark.parametrize("way", ["request", "response", "fetch"])
async def test_a_large_message_is_never_held_in_memory(way: str):
    total = 60 * MEGABYTE
    async with scene(limits=LimitsSpec.model_validate({"frame": "100MiB"})) as here:
        client, conversation = await here.link()
        question = messages.request(messages.FETCH, 12, 2, b"") if way == "fetch" else messages.opaque(2, b"")
        if way == "request":
            flood = Flood(client.stream, (len(question) - 4 + total).to_bytes(4, "big") + question[4:])
            sink, size = conversation.stream, len(question) + total
        else:
            await client.send(question)
            asked = await conversation.expect_request()
            head = _fetch_head(asked, total) if way == "fetch" else _announced_response(asked, total)
            flood = Flood(conversation.stream, head)
            sink, size = client.stream, len(head) + total
        tracemalloc.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flood.run, total)
                assert await _counted(sink, size) == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * MEGABYTE


async def test_records_of_a_large_fetch_arrive_as_they_are_and_no_address_behind_them_does():
    records = random.Random(5).randbytes(3 * MEGABYTE)
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.fetch(2))
        body = messages.fetch_answer(records, NODE_2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conversation.answer, await conversation.expect_request(), body)
            number, heard = await client.receive()
        assert number == 2
        assert len(heard) == len(body)
        assert records in heard
        assert b"real-broker" not in heard
        await client.send(messages.opaque(3))
        await conversation.answer(await conversation.expect_request(), b"and on it goes")
        assert await client.receive() == (3, b"and on it goes")


class Flood:
    """Sends a head and then very many zeros; counts the zeros that the other side took."""

    def __init__(self, stream: trio.SocketStream, head: bytes) -> None:
        self._stream = stream
        self._head = head
        self.sent = 0

    async def run(self, total: int) -> None:
        await self._stream.send_all(self._head)
        piece = bytes(65536)
        while self.sent < total:
            await self._stream.send_all(piece)
            self.sent += len(piece)


def _announced_response(asked: Request, size: int) -> bytes:
    return (5 + size).to_bytes(4, "big") + asked.correlation_id.to_bytes(4, "big") + b"\0"


def _fetch_head(asked: Request, size: int) -> bytes:
    """Return a Fetch v12 response up to its records, of which `size` - 3 bytes follow, then the tags of all structs."""
    records = size - 3
    length, encoded = records + 1, bytearray()
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    partition = bytes(4 + 2 + 8 + 8 + 8) + b"\x00" + bytes(4) + bytes(encoded)
    body = bytes(4 + 2 + 4) + b"\x02" + b"\x02t" + b"\x02" + partition
    return (5 + len(body) + size).to_bytes(4, "big") + asked.correlation_id.to_bytes(4, "big") + b"\0" + body


async def _counted(stream: trio.SocketStream, size: int) -> int:
    """Read so many bytes, forget them, and return how many came."""
    count = 0
    while count < size and (some := await stream.receive_some(65536)):
        count += len(some)
    return count
