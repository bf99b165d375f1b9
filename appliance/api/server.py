"""Binding the control API's port and serving it in a nursery of ours."""

from __future__ import annotations

import logging
import socket

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from appliance.api.errors import ApiPortError
from appliance.api.guard import AsgiApp


def bind_api(host: str, port: int, *, what: str = "control API") -> tuple[socket.socket, str]:
    """Bind the port (0: a free one) and return the socket and its HOST:PORT. Raises ApiPortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except OSError as error:
        sock.close()
        raise ApiPortError(f"the {what} cannot listen on {host}:{port}: {error.strerror or error}") from error
    bound = sock.getsockname()[1]
    return sock, f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"


async def serve_api(
    app: AsgiApp, sock: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; the socket is ours to close from now on."""
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = logging.getLogger("tidegate.api.http")
    config.errorlog.setLevel(logging.WARNING)  # it announces itself otherwise, and so do we
    config.accesslog = None
    config.include_server_header = False
    config.graceful_timeout = 1.0
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app, config)
        task_status.started()
