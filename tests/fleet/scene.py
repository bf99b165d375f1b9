"""Real workers before a scripted broker, and the means to change what they serve by."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from appliance.control.edition import Edition, FaultInForce, Standing
from appliance.fleet.fleet import Fleet
from appliance.fleet.member import Member
from appliance.fleet.process import COMMAND
from appliance.fleet.supervisor import Supervisor
from appliance.policies.connect.fence import OPEN, Fence
from appliance.resources.cluster import Cluster
from appliance.resources.fault import FaultSpec
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster
from tests.gateway import messages
from tests.gateway.scene import Client, free_base
from tests.gateway.scripted_broker import Conversation, ScriptedBroker, scripted_broker

PATIENCE = 60.0
"""Seconds after which a test has failed; far more than any step takes on the slowest machine."""


def edition_of(version: int, broker: ScriptedBroker, base: int, **changes: Any) -> Edition:
    """Return an edition with one virtual cluster, `orders`, served by this broker on the ports from `base` on."""
    resources = (
        Cluster.model_validate(
            {"metadata": {"name": "primary"}, "spec": {"bootstrap": [f"127.0.0.1:{broker.port}"]}},
        ),
        VirtualCluster.model_validate({"metadata": {"name": "orders"}, "spec": {"cluster": "primary"}}),
        Listener.model_validate(
            {"metadata": {"name": "orders"}, "spec": {"bind": f"127.0.0.1:{base}", "virtual_cluster": "orders"}}
        ),
    )
    standing = Standing(serving="primary", fence=Fence("held") if changes.pop("fenced", False) else OPEN)
    return Edition(version=version, resources=resources, virtual_clusters={"orders": standing}, **changes)


def fault_in_force(arming: int, *, seconds_left: float = 60.0, **spec: Any) -> FaultInForce:
    """Return a fault on `orders`: latency, where the spec does not say otherwise."""
    whole = {"virtual_cluster": "orders", "duration": "1h", **spec}
    if not whole.keys() & {"latency", "error", "outage"}:
        whole["latency"] = {"delay": "0s"}
    return FaultInForce(
        name=f"fault-{arming}", arming=arming, spec=FaultSpec.model_validate(whole), seconds_left=seconds_left
    )


@dataclasses.dataclass
class Scene:
    broker: ScriptedBroker
    base: int
    fleet: Fleet
    supervisor: Supervisor
    nursery: trio.Nursery
    clients: list[Client] = dataclasses.field(default_factory=list)

    async def publish(self, **changes: Any) -> None:
        """Publish a changed edition and wait until it is in effect."""
        self.fleet.publish(edition_of(self.fleet.edition.version + 1, self.broker, self.base, **changes))
        await self.fleet.in_effect(self.fleet.edition.version)

    def worker(self, number: int) -> Member:
        """Return the worker of this number that lives."""
        return next(each for each in self.fleet.alive if each.number == number)

    async def link(self) -> tuple[Client, Conversation]:
        """Return both ends of a connection, through any worker, on which one request has been answered."""
        client = Client(await trio.open_tcp_stream("127.0.0.1", self.base))
        self.clients.append(client)
        await client.send(messages.opaque(1))
        conversation = await self.broker.accept()
        await conversation.answer(await conversation.expect_request(), b"hello")
        assert await client.receive() == (1, b"hello")
        return client, conversation

    async def link_through(self, number: int) -> tuple[Client, Conversation]:
        """Return a connection through this worker; the kernel decides, so it is tried until one falls to it."""
        while True:
            before = await self._connections(number)
            client, conversation = await self.link()
            if await self._connections(number) > before:
                return client, conversation
            await client.stream.aclose()
            assert await conversation.ended()

    async def until_its_doors_are_closed(self, number: int) -> None:
        """Wait until a worker takes no more clients."""
        member = self.worker(number)
        while member.report is None or member.report.facts.doors:
            await self.fleet.refresh()

    async def until_replaced(self, number: int) -> None:
        """Wait until a worker's successor has its doors open."""
        while not any(each.number == number and each.restarts and each.report for each in self.fleet.alive):
            await self.fleet.wait_news()

    async def _connections(self, number: int) -> int:
        await self.fleet.refresh()
        (found,) = (each.connections for each in self.fleet.workers() if each.number == number)
        return found

    def close(self) -> None:
        for client in self.clients:
            client.stream.socket.close()


@asynccontextmanager
async def scene(count: int = 2, *, command: Sequence[str] = COMMAND) -> AsyncIterator[Scene]:
    """Run so many workers for the length of a block."""
    base = free_base()
    fleet = Fleet(trio.current_time, lambda: 0.0, b"disguise")
    supervisor = Supervisor(fleet, count, command=command)
    with trio.fail_after(PATIENCE):
        async with scripted_broker() as broker, trio.open_nursery() as nursery:
            fleet.publish(edition_of(1, broker, base))
            await nursery.start(supervisor.serve)
            made = Scene(broker, base, fleet, supervisor, nursery)
            try:
                yield made
            finally:
                made.close()
            nursery.cancel_scope.cancel()


def is_gone(pid: int) -> bool:
    """Return whether no process of this pid runs (one that is dead and not yet waited for does not)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - not a path of ours
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until_gone(*pids: int) -> None:
    """Wait for the end of processes that are nobody's children here."""
    while not all(map(is_gone, pids)):  # noqa: ASYNC110 - strangers do not tell
        await trio.sleep(0.02)
