"""The header is read to its last byte and no further, and nothing else passes for one."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from proxyprotocol.result import ProxyResultIPv4, ProxyResultIPv6, ProxyResultLocal
from proxyprotocol.v1 import ProxyProtocolV1
from proxyprotocol.v2 import ProxyProtocolV2

from appliance.gateway.proxy_header import read_proxy_header
from appliance.wire.errors import Malformed

PATIENCE = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        yield here, there


def _ipv4(family: type[ProxyProtocolV1] | type[ProxyProtocolV2]) -> bytes:
    from ipaddress import IPv4Address  # noqa: PLC0415

    return family().pack(ProxyResultIPv4((IPv4Address("192.0.2.7"), 4711), (IPv4Address("192.0.2.8"), 9092)))


def _ipv6() -> bytes:
    from ipaddress import IPv6Address  # noqa: PLC0415

    return ProxyProtocolV2().pack(
        ProxyResultIPv6((IPv6Address("2001:db8::7"), 4711), (IPv6Address("2001:db8::8"), 9092))
    )


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (_ipv4(ProxyProtocolV1), ("192.0.2.7", 4711)),
        (_ipv4(ProxyProtocolV2), ("192.0.2.7", 4711)),
        (_ipv6(), ("2001:db8::7", 4711)),
        (ProxyProtocolV2().pack(ProxyResultLocal()), None),
    ],
)
async def test_the_client_is_whom_the_load_balancer_names(ends, header: bytes, address):
    here, there = ends
    there.send(header + b"\0\0\0\x0cKAFKA")
    with trio.fail_after(PATIENCE):
        assert await read_proxy_header(here) == address
    assert here.recv(100) == b"\0\0\0\x0cKAFKA"


async def test_a_header_may_come_in_crumbs(ends, nursery: trio.Nursery):
    here, there = ends

    async def crumbs() -> None:
        for byte in _ipv4(ProxyProtocolV2):
            there.send(bytes([byte]))
            await trio.lowlevel.checkpoint()

    nursery.start_soon(crumbs)
    with trio.fail_after(PATIENCE):
        assert await read_proxy_header(here) == ("192.0.2.7", 4711)


@pytest.mark.parametrize(
    "instead", [b"\0\0\0\x20\0\x12\0\3\0\0\0\1", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n"]
)
async def test_whatever_comes_instead_is_refused(ends, instead: bytes):
    here, there = ends
    there.send(instead)
    with trio.fail_after(PATIENCE), pytest.raises(Malformed, match="PROXY protocol header"):
        await read_proxy_header(here)


@pytest.mark.parametrize("family", [b"\x11\0\0", b"\x21\0\0", b"\x31\0\x24"])
async def test_a_header_too_short_for_its_addresses_is_refused(ends, family: bytes):
    here, there = ends
    there.send(b"\r\n\r\n\0\r\nQUIT\n\x21" + family + bytes(int.from_bytes(family[1:], "big")))
    with trio.fail_after(PATIENCE), pytest.raises(Malformed, match="PROXY protocol header"):
        await read_proxy_header(here)


async def test_a_connection_that_ends_within_it_is_refused(ends):
    here, there = ends
    there.send(b"PROXY TCP4 192.0.2.7")
    there.close()
    with trio.fail_after(PATIENCE), pytest.raises(Malformed, match="ended within"):
        await read_proxy_header(here)


async def test_a_line_without_end_is_refused(ends):
    here, there = ends
    there.send(b"PROXY " + b"x" * 8000)
    with trio.fail_after(PATIENCE), pytest.raises(Malformed, match="more than"):
        await read_proxy_header(here)


@given(garbage=st.binary(min_size=1, max_size=200))
def test_no_bytes_raise_anything_else(garbage: bytes):
    async def read() -> None:
        here, there = socket.socketpair()
        with here:
            here.setblocking(False)
            with there:
                there.send(garbage)
            await read_proxy_header(here)

    with contextlib.suppress(Malformed):
        trio.run(read)
