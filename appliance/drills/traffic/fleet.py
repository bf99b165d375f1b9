"""The clients of a run, from trio's side: started when their time has come, watched, wound up in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from appliance.drills.traffic.canary import Canary
from appliance.drills.traffic.client import Client

_LOOK_SECONDS = 0.1
_TURN_LOOK_SECONDS = 0.01


class ClientsDidNotConnectError(Exception):
    """Some clients did not see their topic in time; the message names them."""


class Fleet:
    """The running clients. Made by `open_fleet`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.clients: list[Client] = []
        self._nursery = nursery
        self._ended: dict[str, trio.Event] = {}

    async def start(self, clients: Sequence[Client], seconds: float) -> None:
        """Start clients and wait until each has seen its topic.

        Raises ClientsDidNotConnectError after this many seconds.
        """
        for client in clients:
            self.clients.append(client)
            self._ended[client.name] = trio.Event()
            self._nursery.start_soon(self._live, client)
        with trio.move_on_after(seconds):
            for client in clients:
                while not client.connected:  # noqa: ASYNC110 - a thread sets it: no trio event can
                    await trio.sleep(_LOOK_SECONDS)
            return
        missing = ", ".join(each.name for each in clients if not each.connected)
        raise ClientsDidNotConnectError(
            f"no answer about their topic through the gateway within {seconds:g} s: {missing}"
        )

    async def take_turn(self, name: str, partition: int) -> None:
        """Let a producer write one record; wait for its fate. Raises KeyError if no such producer runs."""
        for client in self.clients:
            if client.name == name and isinstance(client, Canary):
                awaited = client.turns_taken + 1
                client.take_turn(partition)
                while client.turns_taken < awaited:  # noqa: ASYNC110 - a thread counts
                    await trio.sleep(_TURN_LOOK_SECONDS)
                return
        raise KeyError(name)

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

    async def _live(self, client: Client) -> None:
        limiter = trio.CapacityLimiter(1)  # a thread of its own: the shared ones may all be busy for the whole run
        try:
            await trio.to_thread.run_sync(client.run, limiter=limiter, thread_name=f"client {client.name}")
        finally:
            self._ended[client.name].set()


@asynccontextmanager
async def open_fleet() -> AsyncIterator[Fleet]:
    """Have a place for clients; those still at work when the block ends are told to end at once.

    An exception in a client's thread cancels the block: it is the drill's own fault, never that of the system
    under test.
    """
    async with trio.open_nursery() as nursery:
        fleet = Fleet(nursery)
        try:
            yield fleet
        finally:
            for client in fleet.clients:
                client.wind_up(0.0)
