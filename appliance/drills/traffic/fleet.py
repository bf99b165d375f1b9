"""The clients of a run, from trio's side: started together, watched, wound up in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from appliance.drills.traffic.client import Client

_LOOK_SECONDS = 0.1


class ClientsDidNotConnectError(Exception):
    """Some clients did not see their topic in time; the message names them."""


class Fleet:
    """The running clients. Made by `open_fleet`."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = tuple(clients)
        self._ended = {each.name: trio.Event() for each in clients}

    async def wait_connected(self, seconds: float) -> None:
        """Wait until every client has seen its topic.

        Raises ClientsDidNotConnectError after this many seconds.
        """
        with trio.move_on_after(seconds):
            for client in self.clients:
                while not client.connected:  # noqa: ASYNC110 - a thread sets it: no trio event can
                    await trio.sleep(_LOOK_SECONDS)
            return
        missing = ", ".join(each.name for each in self.clients if not each.connected)
        raise ClientsDidNotConnectError(
            f"no answer about their topic through the gateway within {seconds:g} s: {missing}"
        )

    async def settle(self, seconds: float) -> None:
        """Let producers flush, then consumers read to the end, each for at most this long."""
        producers = [each for each in self.clients if each.role == "producer"]
        for group in (producers, [each for each in self.clients if each.role != "producer"]):
            for client in group:
                client.wind_up(seconds)
            for client in group:
                await self._ended[client.name].wait()

    def leftovers(self) -> dict[str, str]:
        """Return client -> what it could not finish, for those that have something."""
        return {each.name: each.leftover for each in self.clients if each.leftover}

    async def _live(self, client: Client, limiter: trio.CapacityLimiter) -> None:
        try:
            await trio.to_thread.run_sync(client.run, limiter=limiter, thread_name=f"client {client.name}")
        finally:
            self._ended[client.name].set()


@asynccontextmanager
async def open_fleet(clients: Sequence[Client]) -> AsyncIterator[Fleet]:
    """Run the clients until the block ends; those still at work then are told to end at once, and waited for.

    An exception in a client's thread cancels the block: it is the drill's own fault, never that of the system
    under test.
    """
    fleet = Fleet(clients)
    limiter = trio.CapacityLimiter(max(1, len(clients)))
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(fleet._live, client, limiter)  # noqa: SLF001 - its own factory
        try:
            yield fleet
        finally:
            for client in clients:
                client.wind_up(0.0)
