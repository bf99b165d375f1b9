"""Kafka Connect: a standalone worker of the lab's own Kafka, with a sink connector that tells what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from appliance.lab.jarlock import KAFKA_VERSION
from appliance.lab.kafka_settings import render
from tests.matrix.driver import Command, Progress
from tests.matrix.drivers.console_tools import lab_jars
from tests.matrix.drivers.java import SOFTWARE, JavaProgram
from tests.matrix.standing import Mode
from tests.matrix.tasks import Task

_STRINGS = "org.apache.kafka.connect.storage.StringConverter"


class KafkaConnect(JavaProgram):
    """`SinkClient` in a worker of its own. It only stands: what Connect does otherwise is checked with MirrorMaker."""

    name = "Kafka Connect"
    version = KAFKA_VERSION
    runs_forever = False
    stands_as = (Mode.SINK,)
    reads_of = "kafka-clients 4.3.1"
    rebootstraps_as = SOFTWARE

    def __init__(self) -> None:
        super().__init__(f"kafka-connect-{KAFKA_VERSION}", ["Given.java", "SinkClient.java"], 17)

    def _jars(self, progress: Progress) -> Sequence[Path]:
        return lab_jars(progress)

    def command(self, task: Task, folder: Path) -> Command:
        worker, connector = folder / "worker.properties", folder / "connector.properties"
        worker.touch(mode=0o600)
        worker.write_text(render(_worker(task, folder)), encoding="utf-8")
        connector.write_text(render(_connector(task)), encoding="utf-8")
        return self.java("org.apache.kafka.connect.cli.ConnectStandalone", str(worker), str(connector))


def _worker(task: Task, folder: Path) -> dict[str, str]:
    return {
        "bootstrap.servers": task.access.bootstrap,
        **task.access.java(),
        **task.access.java("consumer."),
        "consumer.isolation.level": task.isolation,
        "key.converter": _STRINGS,
        "value.converter": _STRINGS,
        "offset.storage.file.filename": str(folder / "offsets"),
        "offset.flush.interval.ms": "1000",
        "listeners": "http://127.0.0.1:0",
    }


def _connector(task: Task) -> dict[str, str]:
    """Return what makes a connector; its group is `connect-` and its name."""
    return {"name": task.prefix, "connector.class": "SinkClient", "tasks.max": "1", "topics": task.topic}
