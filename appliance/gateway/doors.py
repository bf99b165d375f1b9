"""Ports: the bootstrap door of each listener and a door for each node that is known, opened and closed as they
change."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import trio

from appliance.gateway.errors import PortTaken
from appliance.gateway.snapshot import Door
from appliance.gateway.sockets import accepted

Serve = Callable[[Sequence[Door], int | None, socket.socket], Awaitable[None]]
"""Gets the listeners of the port (more than one only where host names tell them apart) and the node of the door."""
_BACKLOG = 1024
_BREATHER = 0.1
"""Seconds to wait when the process has no file descriptor left for a new connection."""


@dataclass(eq=False)
class _Open:
    doors: dict[str, Door]
    """By name of the listener."""
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
        if node_id is not None and door.spec.sni is not None:
            return  # one port serves all
        host, port = key = door.bound(node_id)
        there = self._open.get(key)
        if there is not None:
            by_name = door.spec.sni is not None and all(each.spec.sni is not None for each in there.doors.values())
            if not by_name and (list(there.doors), there.node_id) != ([door.name], node_id):
                raise PortTaken(_clash(door, node_id, port, there))
            there.doors[door.name] = door
            return
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if door.shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(key)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            what = "already in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error)).lower()
            raise PortTaken(f"listener {door.name}: cannot open {host}:{port}: {what}") from error
        opened = self._open[key] = _Open(
            {door.name: door}, node_id, trio.socket.from_stdlib_socket(sock), trio.CancelScope()
        )
        self._nursery.start_soon(self._accept, opened)

    def close_all_but(self, doors: Iterable[Door]) -> None:
        """Close what does not belong to these listeners as they are now; connections that stand are not touched."""
        wanted = {door.name: door for door in doors}
        for key, opened in list(self._open.items()):
            for name in list(opened.doors):
                door = wanted.get(name)
                if door is None or key != door.bound(opened.node_id):
                    del opened.doors[name]
            if not opened.doors:
                del self._open[key]
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
                doors = tuple(opened.doors.values())
                self._nursery.start_soon(self._serve, doors, opened.node_id, plain)
                pause = self._pause(doors[0])
                if pause:
                    await trio.sleep(pause)


def _clash(door: Door, node_id: int | None, port: int, there: _Open) -> str:
    other = "the bootstrap" if there.node_id is None else f"node {there.node_id}"
    this = "the bootstrap" if node_id is None else f"node {node_id}"
    return (
        f"listener {door.name}: port {port} is asked for by {this}, but serves {other} of listener "
        f"{', '.join(there.doors)} already: "
        "pin one of the nodes to a free port (broker_ports.pinned)"
    )
