"""Two real clusters with MirrorMaker between them, a gateway in front that may be killed, and a writer behind it."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import trio
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.harness import BlockingCluster, BlockingLab
from appliance.lab import ClusterPlan, LabPlan, ReplicationPlan
from appliance.remote.answers import StatusAnswer, SwitchoverAnswer
from appliance.remote.client import ControlApi
from tests.cli.gateway import Served, free_port, served

PLAN = LabPlan(
    (ClusterPlan("primary"), ClusterPlan("standby", first_node_id=11)), ReplicationPlan("primary", "standby")
)
SECONDS = 90.0
TOKEN = "a-token-for-tests-only"
Result = TypeVar("Result")


class GatewayOnALab:
    """A gateway that is started again on the same files, state and ports."""

    def __init__(self, lab: BlockingLab, folder: Path, more: str = "", *, workers: int | None = None) -> None:
        self._folder = folder
        self._options = [] if workers is None else ["--workers", str(workers)]
        self._lives = 0
        self._stack = ExitStack()
        self.bootstrap = f"127.0.0.1:{free_port()}"
        self.api = f"127.0.0.1:{free_port()}"
        self._files = folder / "resources.yaml"
        clusters = "\n---\n".join(
            f"{{kind: Cluster, metadata: {{name: {name}}}, spec: {{bootstrap: {each.bootstrap}}}}}"
            for name, each in lab.clusters.items()
        )
        self._files.write_text(
            f"""{clusters}
---
kind: VirtualCluster
metadata: {{name: orders}}
spec: {{cluster: primary, standbys: [standby], replication: mirrormaker}}
---
kind: Listener
metadata: {{name: orders}}
spec:
  bind: {self.bootstrap}
  virtual_cluster: orders
  broker_ports: {{first: {free_port()}, count: 1, pinned: {{1: {free_port()}, 11: {free_port()}}}}}
{more}"""
        )
        self._gateway: Served | None = None

    def start(self) -> None:
        """Start it, the first time or once more."""
        self._lives += 1
        self._gateway = self._stack.enter_context(
            served(
                self._folder / f"life-{self._lives}", "-f", self._files, "--api", self.api,
                "--state", self._folder / "state", *self._options, TIDEGATE_TOKEN=TOKEN,
            )
        )  # fmt: skip

    def kill(self) -> None:
        """End it as a power failure does."""
        assert self._gateway is not None
        self._gateway.end(signal.SIGKILL)

    def close(self) -> None:
        """End all its lives."""
        self._stack.close()

    @property
    def log(self) -> str:
        assert self._gateway is not None
        return self._gateway.log

    def ask(self, question: Callable[[ControlApi], Awaitable[Result]]) -> Result:
        """Ask its API something."""

        async def asking() -> Result:
            async with ControlApi(self.api, token=TOKEN) as api:
                return await question(api)

        return trio.run(asking)

    def status(self) -> StatusAnswer:
        return self.ask(lambda api: api.status())

    def switchover(self) -> SwitchoverAnswer:
        return self.ask(lambda api: api.switchover("orders"))

    def go_on(self) -> SwitchoverAnswer:
        """Let the switchover go on from its pause."""
        name = self.switchover().id
        return self.ask(lambda api: api.continue_switchover(name))

    def wait(self, condition: Callable[[SwitchoverAnswer], bool]) -> SwitchoverAnswer:
        """Return the switchover once it is so."""
        wait_until(lambda: condition(self.switchover()), lambda: f"{self.switchover()}\n{self.log}")
        return self.switchover()


class Writer:
    """An idempotent producer that counts what was acknowledged to it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._sent = 0
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 0,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def send(self, count: int) -> None:
        """Hand records over, without waiting for what becomes of them."""
        for _ in range(count):
            self._producer.produce(self._topic, f"record-{self._sent}", on_delivery=self._note)
            self._sent += 1
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until nothing is owed."""
        assert self._producer.flush(SECONDS) == 0, "records are still under way"

    def _note(self, error: KafkaError | None, message: Message) -> None:
        value = message.value()
        assert value is not None
        (self.acknowledged if error is None else self.failed).append(value.decode())


def values_in(cluster: BlockingCluster, topic: str) -> list[str]:
    """Return everything that a cluster has in a topic's partition 0."""
    consumer = Consumer(
        {"bootstrap.servers": cluster.bootstrap_servers, "group.id": "never", "enable.auto.commit": False}
    )
    try:
        place = TopicPartition(topic, 0)
        _, end = consumer.get_watermark_offsets(place, SECONDS)
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[str] = []
        deadline = time.monotonic() + SECONDS
        while consumer.position([place])[0].offset < end:
            assert time.monotonic() < deadline, f"{topic} of {cluster.name} cannot be read to its end"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                value = message.value()
                assert value is not None
                found.append(value.decode())
        return found
    finally:
        consumer.close()


@contextmanager
def replicated_topic(lab: BlockingLab, name: str) -> Iterator[str]:
    """A topic on both clusters, which are left without it: others measure the lag of all that there is."""
    lab.clusters["primary"].create_topic(name)
    wait_for_topic(lab.clusters["standby"], name)
    try:
        yield name
    finally:
        lab.heal()
        for cluster in lab.clusters.values():
            admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
            for future in admin.delete_topics([name]).values():
                future.result(SECONDS)


def wait_for_topic(cluster: BlockingCluster, name: str) -> None:
    """Wait until the replication has made a topic."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    wait_until(lambda: name in admin.list_topics(timeout=SECONDS).topics, lambda: f"{name} is not on {cluster.name}")


def wait_until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
