"""The yardstick: a Kafka relay with nothing in it that a relay could do without.

Frames are known both ways and responses matched to requests; bodies are skipped by their length; one send per read;
only the ports in Metadata and FindCoordinator are replaced. No policy, no limits, no second thought: what the gateway
costs above this is the price of being a gateway. Run as `python bare_relay.py HERE=THERE...`, ports of 127.0.0.1.
"""

import struct
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

_REQUEST, _RESPONSE, _PORT = struct.Struct(">ihhi"), struct.Struct(">ii"), struct.Struct(">i")
_ANSWERS_WITH_PORTS = {3, 10}
_HOST = b"127.0.0.1"
Ledger = deque[int]


async def _send_all(sock: trio.socket.SocketType, data: memoryview) -> None:
    while len(data):
        data = data[await sock.send(data) :]


async def _requests(client: trio.socket.SocketType, broker: trio.socket.SocketType, ledger: Ledger) -> None:
    view = memoryview(bytearray(256 * 1024))
    held = skip = 0
    while count := await client.recv_into(view[held:]):
        held += count
        at = 0
        while True:
            step = min(skip, held - at)
            skip, at = skip - step, at + step
            if skip or held - at < _REQUEST.size:
                break
            size, api_key, _, _ = _REQUEST.unpack_from(view, at)
            ledger.append(api_key)
            skip = size + 4
        await _send_all(broker, view[:at])
        view[: held - at] = view[at:held]
        held -= at


async def _responses(
    broker: trio.socket.SocketType, client: trio.socket.SocketType, ledger: Ledger, ports: dict[int, int]
) -> None:
    view = memoryview(bytearray(1024 * 1024))
    held = skip = 0
    while count := await broker.recv_into(view[held:]):
        held += count
        at = 0
        while True:
            step = min(skip, held - at)
            skip, at = skip - step, at + step
            if skip or held - at < _RESPONSE.size:
                break
            size, _ = _RESPONSE.unpack_from(view, at)
            if ledger[0] in _ANSWERS_WITH_PORTS:
                if held - at < size + 4:
                    break
                view[at : at + size + 4] = _with_own_ports(bytes(view[at : at + size + 4]), ports)
            ledger.popleft()
            skip = size + 4
        await _send_all(client, view[:at])
        view[: held - at] = view[at:held]
        held -= at


def _with_own_ports(answer: bytes, ports: dict[int, int]) -> bytes:
    """Replace brokers' ports; they stand right behind the host in every version."""
    for here, there in ports.items():
        answer = answer.replace(_HOST + _PORT.pack(there), _HOST + _PORT.pack(here))
    return answer


async def relay(here: int, ports: dict[int, int]) -> None:
    """Serve one port until cancelled; `ports` maps all of the relay's ports to the brokers'."""

    async def serve(stream: trio.SocketStream) -> None:
        async def until_end(pump: Callable[..., Awaitable[None]], *arguments: object) -> None:
            with suppress(OSError):
                await pump(*arguments)
            nursery.cancel_scope.cancel()

        try:
            broker = await trio.open_tcp_stream("127.0.0.1", ports[here])
        except OSError:
            return  # as a broker that is away: the client sees its connection closed
        ledger: Ledger = deque()
        async with broker, trio.open_nursery() as nursery:
            nursery.start_soon(until_end, _requests, stream.socket, broker.socket, ledger)
            nursery.start_soon(until_end, _responses, broker.socket, stream.socket, ledger, ports)

    await trio.serve_tcp(serve, here, host="127.0.0.1")


async def main(ports: dict[int, int]) -> None:
    """Serve all ports until killed."""
    async with trio.open_nursery() as nursery:
        for here in ports:
            nursery.start_soon(relay, here, ports)


if __name__ == "__main__":
    trio.run(main, {int(here): int(there) for here, _, there in (pair.partition("=") for pair in sys.argv[1:])})
