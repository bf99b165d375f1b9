"""kcat, as Debian and others package it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.driver import Check, Command, Driver
from tests.matrix.tasks import Event, Task, Verb

_SOUND_SCRAM = (2, 6, 1)
"""librdkafka's pull request 4895; Kafka 4 compares the whole nonce, as RFC 5802 wants."""


class Kcat(Driver):
    """`kcat -P` from a file, `kcat -G` as JSON. Settings come from a file that only its user can read."""

    name = "kcat"
    language = "C"
    tells_acknowledgements = False
    runs_forever = False
    cannot: Mapping[Check, str] = {
        Check.TRANSACTIONS: "kcat writes no transactions",
        Check.ADMIN: "kcat changes no topics",
        Check.NEW_GROUP: "its librdkafka has classic groups only",
        Check.SHARE: "the library has no share groups",
    }

    def __init__(self) -> None:
        self.version = "1.7.1"
        if shutil.which("kcat"):
            told = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=False).stdout
            found = re.search(r"Version ([\d.]+) .*librdkafka ([\d.]+)", told)
            if found:
                self.version, self.remark = found[1], f"librdkafka {found[2]}"
                if tuple(map(int, found[2].split("."))) < _SOUND_SCRAM:
                    self.mechanism = "PLAIN"
                    self.remark += "; with SASL by PLAIN: its SCRAM repeats a nonce, which Kafka 4 refuses too"

    def needs(self) -> str | None:
        return None if shutil.which("kcat") else "no kcat"

    def command(self, task: Task, folder: Path) -> Command:
        settings = folder / "kcat.conf"
        settings.touch(mode=0o600)
        own = {"auto.offset.reset": "earliest", "isolation.level": task.isolation, "auto.commit.interval.ms": "1000"}
        every = {**task.access.librdkafka(), **({} if task.verb is Verb.PRODUCE else own)}
        settings.write_text("".join(f"{key}={value}\n" for key, value in every.items()), encoding="utf-8")
        if task.verb is Verb.PRODUCE:
            records = folder / "input"
            records.write_text("".join(f"k{each % 100}:{task.prefix}-{each}\n" for each in range(task.count)))
            return Command(("kcat", "-F", str(settings), "-P", "-t", task.topic, "-K:", "-l", str(records)))
        limit = ("-c", str(task.count)) if task.count else ()
        return Command(("kcat", "-F", str(settings), "-J", "-u", *limit, "-G", task.group, task.topic))

    def parse(self, line: str) -> Event | None:
        if not line.startswith("{"):
            return None
        found = json.loads(line)
        return Event(event="delivered", value=found["payload"], partition=found["partition"], offset=found["offset"])
