"""Kafka's own command-line tools: the lab's jars on the lab's Java, nothing else is needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from appliance.lab.errors import JarDiffers, JarsUnavailable
from appliance.lab.jarlock import KAFKA_VERSION, read_lock
from appliance.lab.jars import obtain_jars
from appliance.lab.java import Java
from appliance.lab.kafka_settings import render
from tests.matrix.driver import CannotPrepareError, Check, Command, Driver, Progress
from tests.matrix.tasks import Event, Task, Verb

QUIET = {"JDK_JAVA_OPTIONS": "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"}
_RECORD = re.compile(r"Partition:(\d+)\tOffset:(\d+)\t(.*)")
_DESCRIBED = re.compile(r"PartitionCount: (\d+)")
_PLACES = ("--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true")


def lab_java(progress: Progress) -> Java:
    """Return the lab's Java with its jars. Raises CannotPrepareError."""
    return Java(lab_jars(progress))


def lab_jars(progress: Progress) -> list[Path]:
    """Return Kafka's own jars: broker, tools, Connect. Raises CannotPrepareError."""
    try:
        return obtain_jars(read_lock(), progress)
    except (JarDiffers, JarsUnavailable) as error:
        raise CannotPrepareError(str(error)) from error


class ConsoleTools(Driver):
    """Producer, consumer, share consumer, topics: each a process, as a person starts it."""

    name = "console tools"
    language = "Java"
    version = KAFKA_VERSION
    tells_acknowledgements = False
    runs_forever = False
    cannot: Mapping[Check, str] = {Check.TRANSACTIONS: "the console producer has no transactions"}
    remark = "kafka-console-producer, -consumer, -share-consumer and kafka-topics"

    def __init__(self) -> None:
        self._java: Java | None = None

    def prepare(self, progress: Progress) -> None:
        self._java = lab_java(progress)

    def command(self, task: Task, folder: Path) -> Command:
        settings = folder / "client.properties"
        settings.touch(mode=0o600)
        settings.write_text(render({**task.access.java(), **_settings(task)}), encoding="utf-8")
        if task.verb is Verb.PRODUCE:
            return Command(tuple(self._producer(task, settings)), _input(task, folder), QUIET)
        return Command(tuple(self._tool(task, settings)), None, QUIET)

    def _producer(self, task: Task, settings: Path) -> list[str]:
        keys = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
        return self._at("ConsoleProducer", task, settings, *keys)

    def _tool(self, task: Task, settings: Path) -> list[str]:
        limit = ("--max-messages", str(task.count)) if task.count else ()
        match task.verb:
            case Verb.CONSUME | Verb.CONSUME_FOREVER:
                group = ("--group", task.group, "--isolation-level", task.isolation)
                return self._at("consumer.ConsoleConsumer", task, settings, *group, *limit, *_PLACES)
            case Verb.SHARE:
                share = ("--group", task.group, *limit)
                return self._at("consumer.ConsoleShareConsumer", task, settings, *share, *_PLACES)
            case Verb.CREATE:
                size = ("--create", "--partitions", str(task.partitions), "--replication-factor", "3")
                create = self._at("TopicCommand", task, settings, *size)
                describe = self._at("TopicCommand", task, settings, "--describe")
                return ["sh", "-c", f"{shlex.join(create)} && exec {shlex.join(describe)}"]
            case Verb.DELETE:
                return self._at("TopicCommand", task, settings, "--delete")
            case _:
                raise AssertionError(f"no check of this client asks for {task.verb}")

    def _at(self, tool: str, task: Task, settings: Path, *own: str) -> list[str]:
        assert self._java is not None, "prepare() comes first"
        at = ("--bootstrap-server", task.access.bootstrap, "--topic", task.topic)
        return self._java.command(f"org.apache.kafka.tools.{tool}", *at, "--command-config", str(settings), *own)

    def parse(self, line: str) -> Event | None:
        if found := _RECORD.fullmatch(line):
            return Event(event="delivered", partition=int(found[1]), offset=int(found[2]), value=found[3])
        if found := _DESCRIBED.search(line):
            return Event(event="created", partitions=int(found[1]))
        return None


def _settings(task: Task) -> dict[str, str]:
    if task.verb in {Verb.CONSUME, Verb.CONSUME_FOREVER}:
        return {"auto.offset.reset": "earliest", "group.protocol": task.protocol, "auto.commit.interval.ms": "1000"}
    return {}


def _input(task: Task, folder: Path) -> Path:
    """Return a file of `key:value` lines."""
    file = folder / "input"
    file.write_text("".join(f"k{number % 100}:{task.prefix}-{number}\n" for number in range(task.count)))
    return file
