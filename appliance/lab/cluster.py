"""A running cluster of a lab: its brokers, and what can be done to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from appliance.lab.admin import begin_logs_at, create_topic, wait_ready
from appliance.lab.errors import LabError
from appliance.lab.runners import Runner, State
from appliance.lab.together import together

_READY = 90.0
"""Seconds for a cluster to be ready: 2 to 6 on an idle machine, and a loaded one is not called a failure."""


@dataclass(frozen=True)
class Broker:
    """A broker at one moment; `stopped` also when it ended by itself. `address` is `127.0.0.1:port`."""

    node_id: int
    address: str
    state: State


@dataclass(frozen=True)
class Node:
    """A broker's place in a cluster, the same for the lab's whole life, and what runs there."""

    node_id: int
    address: str
    runner: Runner


class Cluster:
    """A cluster whose brokers can be killed, stopped, paused and started again, one (`node_id`) or all (None).

    Every action is idempotent: killing a stopped broker or resuming a running one does nothing. An unknown node id
    raises LabError. Each returns when it has happened; `start` when the brokers serve.
    """

    def __init__(self, name: str, nodes: Iterable[Node]) -> None:
        self.name = name
        self._nodes = {node.node_id: node for node in nodes}

    @property
    def bootstrap(self) -> list[str]:
        """All brokers' addresses, `127.0.0.1:port`; the same for the lab's whole life."""
        return [node.address for node in self._nodes.values()]

    @property
    def brokers(self) -> Mapping[int, Broker]:
        """Node id -> the broker as it is now."""
        return {node_id: Broker(node_id, node.address, node.runner.state) for node_id, node in self._nodes.items()}

    @property
    def replication_factor(self) -> int:
        """What topics get by default: 3 with three brokers or more (two must be in sync), otherwise 1."""
        return 3 if len(self._nodes) >= 3 else 1

    async def kill(self, node_id: int | None = None) -> None:
        """End at once (SIGKILL), as a power failure does. An embedded broker loses its records."""
        await together(node.runner.kill for node in self._chosen(node_id))

    async def stop(self, node_id: int | None = None) -> None:
        """End gracefully (SIGTERM); leaders are handed over first. What has not ended after 10 s is killed."""
        await together(node.runner.stop for node in self._chosen(node_id))

    async def pause(self, node_id: int | None = None) -> None:
        """Freeze (SIGSTOP): connections stay open, nothing answers."""
        await together(node.runner.pause for node in self._chosen(node_id))

    async def resume(self, node_id: int | None = None) -> None:
        """Go on from a pause (SIGCONT). Does not wait until the cluster has taken the broker back."""
        await together(node.runner.resume for node in self._chosen(node_id))

    async def start(self, node_id: int | None = None) -> None:
        """Start what is stopped, on its old address and data, and wait until it serves. Raises BrokerFailed."""
        started = [node for node in self._chosen(node_id) if node.runner.state == "stopped"]
        if not started:
            return
        await together(node.runner.launch for node in started)
        await wait_ready(
            self.name,
            {node.node_id: node.address for node in started},
            [node.node_id for node in self._nodes.values() if node.runner.state == "running"],
            fallen=lambda: self._fallen(started),
            deadline=_READY,
        )

    async def create_topic(
        self,
        name: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replication_factor: int | None = None,
        log_start_offset: int = 0,
    ) -> None:
        """Create a topic and wait until all partitions have leaders. Raises LabError, also where it exists.

        Each partition begins at `log_start_offset`, as one whose older records have expired.
        """
        await create_topic(
            self.bootstrap,
            name,
            partitions=partitions,
            replication_factor=replication_factor or self.replication_factor,
            configs=configs or {},
        )
        if log_start_offset:
            await begin_logs_at(self.bootstrap, name, partitions=partitions, offset=log_start_offset)

    def _chosen(self, node_id: int | None) -> Sequence[Node]:
        if node_id is None:
            return list(self._nodes.values())
        if node_id not in self._nodes:
            raise LabError(f"cluster {self.name}: expected one of the brokers {sorted(self._nodes)}, found {node_id}")
        return [self._nodes[node_id]]

    def _fallen(self, nodes: Iterable[Node]) -> str | None:
        for node in nodes:
            if node.runner.state == "stopped":
                found = f"found that it ended; {node.runner.autopsy()}"
                return f"cluster {self.name}: expected broker {node.node_id} to run, {found}"
        return None
