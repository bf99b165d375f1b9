"""The PROXY protocol (versions 1 and 2, as HAProxy specifies it): who is behind a load balancer.

Only on listeners that declare it, and there from every connection: whoever could choose would choose an address.
"""

from __future__ import annotations

import socket
import struct

import trio
from proxyprotocol import ProxyProtocolChecksumError, ProxyProtocolIncompleteError, ProxyProtocolWantRead
from proxyprotocol.detect import ProxyProtocolDetect
from proxyprotocol.result import ProxyResultIPv4, ProxyResultIPv6, is_local

from appliance.exchange.topology import HostPort
from appliance.gateway.sockets import receive_nowait
from appliance.wire.errors import Malformed

_LONGEST = 4096
"""Bytes of a header: version 1 has at most 107, version 2 is as long as its extensions."""


async def read_proxy_header(sock: socket.socket) -> HostPort | None:
    """Read exactly the header and return the client's address; None where the load balancer speaks for itself.

    Raises Malformed where the connection begins with something else, OSError where it breaks.
    """
    protocol = ProxyProtocolDetect()
    header = b""
    while True:
        try:
            result = protocol.unpack(header)
        except ProxyProtocolIncompleteError as incomplete:
            header += await _wanted(sock, header, incomplete.want_read)
        except (ProxyProtocolChecksumError, ValueError, IndexError, struct.error) as error:
            raise Malformed(
                f"expected a PROXY protocol header, found {header[:16]!r}: this listener is for a load balancer that "
                "sends one (proxy_protocol: required)"
            ) from error
        else:
            break
    if isinstance(result, ProxyResultIPv4 | ProxyResultIPv6):
        return result.peername[0], result.peername[1]
    if is_local(result):
        return None
    raise Malformed("the PROXY protocol header does not say which address the client has")


async def _wanted(sock: socket.socket, have: bytes, want: ProxyProtocolWantRead) -> bytes:
    """Read as much as the parser asks for and not a byte more: what follows belongs to TLS or to Kafka."""
    found = bytearray()
    count = want.want_bytes
    while (not found.endswith(b"\n")) if count is None else (len(found) < count):
        if len(have) + len(found) >= _LONGEST:
            raise Malformed(f"a PROXY protocol header of more than {_LONGEST} bytes")
        some = memoryview(bytearray(1 if count is None else count - len(found)))
        read = receive_nowait(sock, some)
        if read is None:
            await trio.lowlevel.wait_readable(sock)
        elif not read:
            raise Malformed("the connection ended within its PROXY protocol header")
        else:
            found += some[:read]
    return bytes(found)
