"""A cluster whose brokers come, go, move to other ports and get other ids, as no lab of ours does."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from appliance.lab.admin import create_topic, wait_ready
from appliance.lab.java import Java
from appliance.lab.kafka_settings import Place, broker_properties, render
from appliance.lab.plans import ClusterPlan
from appliance.lab.ports import PortLeases
from appliance.lab.runners import ProcessRunner
from appliance.lab.storage import format_storage, new_kafka_uuid
from appliance.wire.apis import KEYS
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from tests.clients import asking

FIRST = 1
"""Broker and only controller: it stays."""
READY = 120.0
_REASSIGN, _UNREGISTER = KEYS["AlterPartitionReassignments"], KEYS["UnregisterBroker"]


class ChangingCluster:
    """Node ids and ports are the test's to choose; `FIRST` is always there."""

    def __init__(self, folder: Path, java: Java, ports: PortLeases) -> None:
        replicas = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        properties = {
            **{f"{each}.replication.factor": "2" for each in replicas},
            "default.replication.factor": "2",
            "min.insync.replicas": "1",
            "auto.leader.rebalance.enable": "false",
        }
        self._plan = ClusterPlan("changing", properties=properties)
        folder.mkdir()
        self._folder = folder
        self._java = java
        self._ports = ports
        self._places: dict[int, Place] = {}
        self._runners: dict[int, ProcessRunner] = {}

    @property
    def bootstrap_servers(self) -> str:
        """The address of the node that stays."""
        return self._places[FIRST].address

    def port_of(self, node_id: int) -> int:
        """Return where a node listens now."""
        return self._places[node_id].broker

    async def begin(self) -> None:
        """Start the first node."""
        self._places[FIRST] = Place(FIRST, self._ports.take(), self._ports.take())
        file, settings = self._write(FIRST)
        await format_storage(self._java, {file: settings}, self._folder / "format.log")
        await self._launch(FIRST)

    async def add(self, node_id: int, port: int | None = None) -> None:
        """Let a new node join, on a port of its own or on this one."""
        self._places[node_id] = Place(node_id, port or self._ports.take(), None)
        self._write(node_id)
        first, data = self._data(FIRST), self._data(node_id)
        data.mkdir()
        shutil.copyfile(first / "bootstrap.checkpoint", data / "bootstrap.checkpoint")
        changed = {"node.id": str(node_id), "directory.id": new_kafka_uuid()}
        lines = (line.partition("=") for line in (first / "meta.properties").read_text().splitlines() if "=" in line)
        meta = {key: changed.get(key, value) for key, _, value in lines}
        (data / "meta.properties").write_text("".join(f"{key}={value}\n" for key, value in meta.items()))
        await self._launch(node_id)

    async def remove(self, node_id: int) -> None:
        """Stop a node and take it out of the cluster for good."""
        await self._runners.pop(node_id).stop()
        del self._places[node_id]
        kind: Any = request_type(_UNREGISTER, 0)
        await self._ask(_UNREGISTER, kind(broker_id=node_id))

    async def move(self, node_id: int) -> None:
        """Stop a node and start it on another port, with the same id and data."""
        await self._runners.pop(node_id).stop()
        self._places[node_id] = Place(node_id, self._ports.take(), None)
        self._write(node_id)
        await self._launch(node_id)

    async def kill_all(self) -> None:
        """End it."""
        for runner in self._runners.values():
            await runner.kill()

    async def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic with two replicas."""
        await create_topic([self.bootstrap_servers], name, partitions=partitions, replication_factor=2, configs={})

    async def assign(self, topic: str, partitions: int, replicas: Sequence[int]) -> None:
        """Put all partitions of a topic on these nodes, the first of which shall lead."""
        kind: Any = request_type(_REASSIGN, 0)
        topic_kind = element_type(kind, "topics")
        partition_kind = element_type(topic_kind, "partitions")
        parts = tuple(partition_kind(partition_index=each, replicas=tuple(replicas)) for each in range(partitions))
        await self._ask(_REASSIGN, kind(topics=(topic_kind(name=topic, partitions=parts),)))

    async def _ask(self, api_key: int, question: Any) -> None:
        host, _, port = self.bootstrap_servers.rpartition(":")
        place = asking.Place(host, int(port))
        body = await trio.to_thread.run_sync(asking.ask, place, api_key, 0, encode(question))
        assert body is not None
        answer = decode(response_type(api_key, 0), body)
        assert answer.error_code.value == 0, answer

    def _data(self, node_id: int) -> Path:
        return self._folder / f"data-{node_id}"

    def _write(self, node_id: int) -> tuple[Path, dict[str, str]]:
        file = self._folder / f"{node_id}.properties"
        settings = broker_properties(self._plan, self._places, node_id, str(self._data(node_id)))
        file.write_text(render(settings))
        return file, settings

    async def _launch(self, node_id: int) -> None:
        file = self._folder / f"{node_id}.properties"
        runner = ProcessRunner(self._java.command("kafka.Kafka", str(file)), self._folder / f"{node_id}.log")
        self._runners[node_id] = runner
        await runner.launch()

        def fallen() -> str | None:
            return runner.autopsy() if runner.state == "stopped" else None

        await wait_ready("changing", {node_id: self._places[node_id].address}, list(self._places), fallen, READY)


@asynccontextmanager
async def changing_cluster(folder: Path, java: Java) -> AsyncIterator[ChangingCluster]:
    """Run one, of its first node alone, for the length of a block."""
    with PortLeases() as ports:
        cluster = ChangingCluster(folder, java, ports)
        try:
            await cluster.begin()
            yield cluster
        finally:
            with trio.CancelScope(shield=True):
                await cluster.kill_all()
