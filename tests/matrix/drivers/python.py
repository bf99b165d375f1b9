"""The Python clients, of the project's own lock: nothing is to be prepared."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping
from pathlib import Path

import confluent_kafka

from tests.matrix.driver import Check, Command, Driver
from tests.matrix.tasks import Task

_CLASSIC_ONLY = {
    Check.NEW_GROUP: "the library has classic groups only",
    Check.SHARE: "the library has no share groups",
}


class PythonClient(Driver):
    """A module of `programs.python`, run by this interpreter."""

    language = "Python"

    def __init__(self, distribution: str, module: str, cannot: Mapping[Check, str], remark: str = "") -> None:
        self.name = distribution
        self.version = importlib.metadata.version(distribution)
        self.cannot = cannot
        self.remark = remark
        self._module = f"tests.matrix.programs.python.{module}"

    def command(self, task: Task, folder: Path) -> Command:  # noqa: ARG002 - it needs no files
        return Command((sys.executable, "-m", self._module, *task.flags()))


def python_clients() -> list[Driver]:
    """Return them all."""
    librdkafka = f"librdkafka {confluent_kafka.libversion()[0]}"
    return [
        PythonClient("confluent-kafka", "confluent_client", {}, librdkafka),
        PythonClient(
            "kafka-python",
            "kafka_python_client",
            _CLASSIC_ONLY,
            "poll() is given a second: one that ends while its group is joined may lose the assignment, also "
            "without a gateway (3.0.12)",
        ),
        PythonClient("aiokafka", "aiokafka_client", _CLASSIC_ONLY),
    ]
