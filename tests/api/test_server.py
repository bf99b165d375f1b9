"""The API on a real port, and its client's words when something is wrong with it."""

from __future__ import annotations

import socket

import pytest
import trio

from appliance.api.errors import ApiPortError
from appliance.api.server import bind_api, serve_api
from appliance.remote.client import ControlApi
from appliance.remote.errors import RemoteError, UnreachableError, WrongTokenError
from tests.api.scene import TOKEN, scene


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_it_serves_on_a_free_port(host: str):
    try:
        sock, address = bind_api(host, 0)
    except ApiPortError:
        pytest.skip("no IPv6 here")
    async with scene() as here, trio.open_nursery() as nursery:
        await nursery.start(serve_api, here.app, sock)
        async with ControlApi(address, token=TOKEN) as api:
            assert (await api.status()).virtual_clusters[0].name == "orders"
        async with ControlApi(address, token="another-token-altogether") as api:
            with pytest.raises(WrongTokenError, match="refuses the token"):
                await api.status()
        nursery.cancel_scope.cancel()


def test_a_taken_port_is_named():
    sock, address = bind_api("127.0.0.1", 0)
    port = int(address.rpartition(":")[2])
    with sock, pytest.raises(ApiPortError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        bind_api("127.0.0.1", port)


async def test_nobody_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with ControlApi(f"127.0.0.1:{port}") as api:
        with pytest.raises(UnreachableError, match=f"no control API at http://127.0.0.1:{port}"):
            await api.status()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "with something else than a StatusAnswer"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nNo!", "answered 502 Bad Gateway"),
        (b"SSH-2.0-OpenSSH\r\n", "no control API at"),
    ],
)
async def test_somebody_else_there(answer: bytes, message: str):
    async def someone(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, someone, 0)
        port = listeners[0].socket.getsockname()[1]
        async with ControlApi(f"127.0.0.1:{port}") as api:
            with pytest.raises(RemoteError, match=message):
                await api.status()
        nursery.cancel_scope.cancel()


async def test_an_answer_that_does_not_come():
    async def silent(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, silent, 0)
        port = listeners[0].socket.getsockname()[1]
        async with ControlApi(f"127.0.0.1:{port}", timeout=0.2) as api:
            with pytest.raises(UnreachableError, match="does not answer in time"):
                await api.status()
        nursery.cancel_scope.cancel()
