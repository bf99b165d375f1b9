"""Ports: the bootstrap door of each listener and a door for each node that is known, opened and closed as they
change."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import trio

from appliance.exchange.snapshot import Door
from appliance.gateway.errors import PortTaken
from appliance.gateway.sockets import accepted

Serve = Callable[[Door, int | None, socket.socket], Awaitable[None]]
_BACKLOG = 1024
_BREATHER = 0.1
"""Seconds to wait when the process has no file descriptor left for a new connection."""


@dataclass(eq=False)
class _Open:
    door: Door
    node_id: int | None
    listener: trio.socket.SocketType
    scope: trio.CancelScope


class Doors:
    """Opens ports in the given nursery and hands each new connection to `serve`.

    `pause` says for how many seconds a door is to wait after a connection before it takes the next.
    """

    def __init__(self, nursery: trio.Nursery, serve: Serve, pause: Callable[[Door], float]) -> None:
        self._nursery = nursery
        self._serve = serve
        self._pause = pause
        self._open: dict[tuple[str, int], _Open] = {}

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every open door."""
        return sorted(self._open)

    def open(self, door: Door, node_id: int | None = None) -> None:
        """Open a listener's bootstrap door, or its door to a node; a door that is open stays as it is.

        It is open when this returns: there is no wait in which a client could hear of a door that is not there yet.
        Raises PortTaken, which names the port, and for a node what else might serve it.
        """
        port = _port(door, node_id)
        key = (door.host, port)
        there = self._open.get(key)
        if there is not None:
            if (there.door.name, there.node_id) != (door.name, node_id):
                raise PortTaken(_clash(door, node_id, port, there))
            there.door = door
            return
        sock = socket.socket(socket.AF_INET6 if ":" in door.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(key)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            what = "already in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error)).lower()
            raise PortTaken(f"listener {door.name}: cannot open {door.host}:{port}: {what}") from error
        opened = self._open[key] = _Open(door, node_id, trio.socket.from_stdlib_socket(sock), trio.CancelScope())
        self._nursery.start_soon(self._accept, opened)

    def close_all_but(self, doors: Iterable[Door]) -> None:
        """Close what does not belong to these listeners as they are now; connections that stand are not touched."""
        wanted = {door.name: door for door in doors}
        for (host, port), opened in list(self._open.items()):
            door = wanted.get(opened.door.name)
            if door is None or (host, port) != (door.host, _port(door, opened.node_id)):
                del self._open[host, port]
                opened.scope.cancel()
                opened.listener.close()  # now, not when the scope is next run: the port may be asked for again at once

    async def _accept(self, opened: _Open) -> None:
        with opened.listener, opened.scope:
            while True:
                try:
                    sock, _ = await opened.listener.accept()
                    plain = accepted(sock)
                except OSError as error:
                    # The peer may be gone already; but without descriptors the loop must not spin.
                    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                        await trio.sleep(_BREATHER)
                    continue
                self._nursery.start_soon(self._serve, opened.door, opened.node_id, plain)
                pause = self._pause(opened.door)
                if pause:
                    await trio.sleep(pause)


def _port(door: Door, node_id: int | None) -> int:
    return door.port if node_id is None else door.brokers.port_of(node_id)


def _clash(door: Door, node_id: int | None, port: int, there: _Open) -> str:
    other = "the bootstrap" if there.node_id is None else f"node {there.node_id}"
    this = "the bootstrap" if node_id is None else f"node {node_id}"
    return (
        f"listener {door.name}: port {port} is asked for by {this}, but serves {other} of listener "
        f"{there.door.name} already: "
        "pin one of the nodes to a free port (broker_ports.pinned)"
    )
