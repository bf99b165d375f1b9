"""The Java clients: three ages of kafka-clients, compiled by the machine's JDK and run by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.lab.errors import JarDiffers, JarsUnavailable
from appliance.lab.jarlock import make_lock, read_lock
from appliance.lab.jars import obtain_jars
from tests.matrix.cache import built, call
from tests.matrix.driver import PROGRAMS, CannotPrepareError, Check, Command, Driver, Progress
from tests.matrix.tasks import Task, Verb

FOLDER = PROGRAMS / "java"
SMALL = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
"""The jdk's own defaults take a quarter of the machine each; start-up decides here, not peak speed."""

SOFTWARE = "apache-kafka-java"
"""What kafka-clients say they are, and what is built on them."""
_NO_SHARE = "share groups came with 4.1"
_NO_NEW_GROUP = "the protocol of KIP-848 came with 3.7"


_LOGGING = "org.slf4j:slf4j-simple"
LOCKED: Mapping[str, Sequence[str]] = {
    "kafka-clients-4.3.1": ("org.apache.kafka:kafka-clients:4.3.1", f"{_LOGGING}:1.7.36"),
    "kafka-clients-3.9.2": ("org.apache.kafka:kafka-clients:3.9.2", f"{_LOGGING}:1.7.36"),
    "kafka-clients-2.8.2": ("org.apache.kafka:kafka-clients:2.8.2", f"{_LOGGING}:1.7.30"),
    "kafka-streams-4.3.1": ("org.apache.kafka:kafka-streams:4.3.1", f"{_LOGGING}:1.7.36"),
}
"""Lock file -> the coordinates from which it is made."""


def lock_jars(progress: Progress) -> None:
    """Resolve all coordinates anew and write their locks. Blocks. Raises JarsUnavailable."""
    for name, coordinates in LOCKED.items():
        title = f"{name}, for the client matrix. Made by `python -m tests.matrix --lock`; do not edit."
        make_lock(FOLDER / f"{name}.lock", progress, coordinates, title)


def jars_of(artifact: str, progress: Progress) -> list[Path]:
    """Return the locked jars of `artifact`, a lock file in the programs' folder. Raises CannotPrepareError."""
    try:
        return obtain_jars(read_lock(FOLDER / f"{artifact}.lock"), progress)
    except (JarDiffers, JarsUnavailable) as error:
        raise CannotPrepareError(str(error)) from error


def jdk() -> Path | None:
    """Return the folder that has javac and the java that goes with it."""
    found = shutil.which("javac")
    return Path(found).resolve().parent if found else None


class JavaProgram(Driver):
    """Programs from `programs/java`, compiled against locked jars."""

    language = "Java"

    def __init__(self, artifact: str, sources: Sequence[str], release: int) -> None:
        self._artifact = artifact
        self._sources = sources
        self._release = release
        self._classpath = ""

    def needs(self) -> str | None:
        return None if jdk() else "no JDK: javac is not on the PATH"

    def prepare(self, progress: Progress) -> None:
        folder = jdk()
        assert folder is not None, "needs() has looked"
        jars = ":".join(map(str, self._jars(progress)))
        compiler = str(folder / "javac")

        def compile_all(classes: Path) -> None:
            progress("compiling")
            command = [compiler, "-Xlint:all", "-Werror", "--release", str(self._release), "-cp", jars, "-d", "."]
            call([*command, *self._sources], classes, os.environ)

        classes = built(f"java-{self._artifact}", FOLDER, self._sources, compile_all, salt=f"{jars} {self._release}")
        self._classpath = f"{classes}:{jars}"

    def _jars(self, progress: Progress) -> Sequence[Path]:
        return jars_of(self._artifact, progress)

    def java(self, main_class: str, *arguments: str) -> Command:
        """Return the process that runs a main class."""
        folder = jdk()
        assert folder is not None, "needs() has looked"
        return Command((str(folder / "java"), *SMALL, "-cp", self._classpath, main_class, *arguments))


class JavaClient(JavaProgram):
    """kafka-clients: producer, consumer, share consumer, admin."""

    reverses = True

    def __init__(self, version: str, cannot: Mapping[Check, str], remark: str = "") -> None:
        sources = ["Given.java", "Client.java", *([] if Check.SHARE in cannot else ["ShareClient.java"])]
        super().__init__(f"kafka-clients-{version}", sources, 11)
        self.name = f"kafka-clients {version}"
        self.version = version
        self.cannot = cannot
        self.remark = remark
        self.rebootstraps_as = SOFTWARE if version.startswith("4.") else ""

    def command(self, task: Task, folder: Path) -> Command:  # noqa: ARG002 - it needs no files
        return self.java("ShareClient" if task.verb is Verb.SHARE else "Client", *task.flags())


def java_clients() -> list[Driver]:
    """Return them all, youngest first."""
    return [
        JavaClient("4.3.1", {}),
        JavaClient("3.9.2", {Check.SHARE: _NO_SHARE}, "KIP-848 is a preview in this version"),
        JavaClient("2.8.2", {Check.SHARE: _NO_SHARE, Check.NEW_GROUP: _NO_NEW_GROUP}),
    ]
