"""Brokers come, move, change their ids and go, and the gateway itself is killed and started again: clients go on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import trio
from confluent_kafka import ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.lab.jarlock import read_lock
from appliance.lab.jars import obtain_jars
from appliance.lab.java import Java
from tests.clients.changing_cluster import FIRST, ChangingCluster, changing_cluster
from tests.clients.conftest import Tools, _wait_ready
from tests.clients.test_leader_changes import PARTITIONS, Leaders, all_progress, traffic
from tests.clients.traffic import ClientProcess, client_processes
from tests.gateway.scene import free_base

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]
TOPIC = "goes-on"
SECONDS = 120
ADDED, SECOND, RENUMBERED = 40, 2, 7
"""Node ids: with gaps, as KRaft allows them."""


class KilledAndStarted:
    """A gateway in a process of its own, that can be killed and started again on its ports."""

    def __init__(self, folder: Path, to: str) -> None:
        self._folder = folder
        self._to = to
        self._base = free_base((0, *(1 + each for each in (FIRST, SECOND, RENUMBERED, ADDED))))
        self._process: psutil.Popen | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._base}"

    def door(self, node_id: int) -> int:
        """Return the port of a node's door."""
        return self._base + 1 + node_id

    @property
    def ports(self) -> set[int]:
        """All that clients may connect to."""
        return {self._base, *map(self.door, (FIRST, SECOND, RENUMBERED, ADDED))}

    def start(self) -> None:
        ready, log = self._folder / "ready", self._folder / "gateway.log"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "appliance", "serve", "--to", self._to, "--listen", self.bootstrap]
        command += ["--state", str(self._folder / "state"), "--ready-file", str(ready)]
        with log.open("ab") as output:
            self._process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _wait_ready(self._process, ready, log)

    def kill(self) -> None:
        """End it as a power failure does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)


@asynccontextmanager
async def gateway_before(cluster: ChangingCluster, folder: Path) -> AsyncIterator[KilledAndStarted]:
    gateway = KilledAndStarted(folder, cluster.bootstrap_servers)
    try:
        await trio.to_thread.run_sync(gateway.start)
        yield gateway
    finally:
        gateway.kill()


class Scene:
    """The cluster, the gateway, the clients, and how to see that these go on."""

    def __init__(self, cluster: ChangingCluster, gateway: KilledAndStarted, clients: dict[str, ClientProcess]) -> None:
        self.cluster = cluster
        self.gateway = gateway
        self.clients = clients
        self._leaders = Leaders(cluster, TOPIC)

    async def lead(self, node_id: int, *, follower: int | None = FIRST) -> None:
        """Let a node lead all partitions: who goes on then talks to it."""
        await self.cluster.assign(TOPIC, PARTITIONS, [node_id] if follower is None else [node_id, follower])
        partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap_servers, "log_level": 0})
        with trio.fail_after(SECONDS):
            while set((await trio.to_thread.run_sync(self._leaders.now)).values()) != {node_id}:
                await trio.to_thread.run_sync(_elect, admin, partitions)
                await trio.sleep(0.5)

    async def goes_on_with(self, node_id: int) -> None:
        """Fail unless every client writes and reads, through this node's door."""
        for client in self.clients.values():
            client.ports.clear()
        with trio.move_on_after(SECONDS):
            while not all(self.gateway.door(node_id) in client.ports for client in self.clients.values()):
                await all_progress(self.clients)
        await all_progress(self.clients)
        for name, client in self.clients.items():
            assert self.gateway.door(node_id) in client.ports, f"{name} is not seen at the door of node {node_id}"
            assert client.ports <= self.gateway.ports, f"{name} was seen at {client.ports - self.gateway.ports}"

    def everything_written(self) -> list[str]:
        return self._leaders.everything_written()


def _elect(admin: AdminClient, partitions: list[TopicPartition]) -> None:
    try:
        admin.elect_leaders(ElectionType.PREFERRED, partitions).result(SECONDS)
    except KafkaException:
        return  # not in sync yet: asked again


@pytest.mark.long
async def test_clients_go_on_while_brokers_are_added_moved_renumbered_and_removed(tools: Tools, tmp_path: Path):
    java = Java(await trio.to_thread.run_sync(obtain_jars, read_lock(), lambda _: None))
    async with changing_cluster(tmp_path / "kafka", java) as cluster, gateway_before(cluster, tmp_path) as gateway:
        await cluster.add(SECOND)
        await cluster.create_topic(TOPIC, PARTITIONS)
        commands = traffic(tools, gateway.bootstrap, TOPIC)
        async with client_processes(commands, tmp_path, tools.environment) as clients:
            here = Scene(cluster, gateway, clients)
            await all_progress(clients)

            await cluster.add(ADDED)
            await here.lead(ADDED)
            await here.goes_on_with(ADDED)

            await cluster.move(ADDED)
            await here.lead(ADDED)
            await here.goes_on_with(ADDED)

            await trio.to_thread.run_sync(gateway.kill)
            await trio.to_thread.run_sync(gateway.start)
            await here.goes_on_with(ADDED)

            place = cluster.port_of(SECOND)
            await cluster.remove(SECOND)
            await cluster.add(RENUMBERED, place)
            await here.lead(RENUMBERED)
            await here.goes_on_with(RENUMBERED)

            await here.lead(FIRST, follower=RENUMBERED)
            await cluster.remove(ADDED)
            await here.goes_on_with(FIRST)

        acknowledged = [line.removeprefix("acked ") for line in clients["librdkafka"].telling("acked ")]
        written = Counter(await trio.to_thread.run_sync(here.everything_written))
        assert not Counter(acknowledged) - written, "no acknowledged record is lost"
        assert clients["librdkafka"].telling("failed") == []
