"""Messages arrive whole, in order, with the descriptors that belong to them."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator

import pytest
import trio

from appliance.fleet.errors import LinkBroken
from appliance.fleet.link import Link, link_pair

Ends = tuple[Link, Link]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    here, there = link_pair()
    other = Link(there)
    yield here, other
    here.close()
    other.close()


async def test_a_message_of_any_size_arrives_as_it_is(ends: Ends):
    here, there = ends
    messages = [b"", b"{}", os.urandom(3_000_000), b"last"]
    async with trio.open_nursery() as nursery:

        async def send_all() -> None:
            for each in messages:
                await here.send(each)

        nursery.start_soon(send_all)
        assert [await there.receive() for _ in messages] == [(each, None) for each in messages]


async def test_descriptors_come_with_their_messages(ends: Ends):
    here, there = ends
    pipes = [os.pipe() for _ in range(40)]
    for _, write in pipes:
        await here.send(b"with", write)
        await here.send(b"without")
        os.close(write)
    for read, _ in pipes:
        payload, descriptor = await there.receive() or (b"", None)
        assert payload == b"with"
        assert descriptor is not None
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"!")
        os.close(descriptor)
        assert os.read(read, 2) == b"!"
        os.close(read)
        assert await there.receive() == (b"without", None)


async def test_the_end_is_none_also_in_the_middle_of_a_message():
    here, there = link_pair()
    raw = socket.socket(fileno=there.detach())
    raw.sendall(b"\0\0\0\x09\0half")
    raw.close()
    assert await here.receive() is None
    here.close()


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff\0", b"\0\0\0\1\7"])
async def test_a_head_that_cannot_be_is_refused(head: bytes):
    here, there = link_pair()
    there.sendall(head)
    with pytest.raises(LinkBroken):
        await here.receive()
    here.close()
    there.close()


async def test_a_descriptor_that_is_promised_must_come():
    here, there = link_pair()
    there.sendall(b"\0\0\0\1\1x")
    with pytest.raises(LinkBroken, match="expected a descriptor"):
        await here.receive()
    here.close()
    there.close()


async def test_sending_to_who_is_gone_is_an_os_error():
    here, there = link_pair()
    there.close()
    with pytest.raises(OSError, match="Broken pipe"):
        await here.send(b"x")
    here.close()
