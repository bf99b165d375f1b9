"""The lock of Kafka's jars: every jar of a broker, its tools and MirrorMaker 2, by coordinate, SHA-256 and size.

`kafka-jars.lock` beside this file is package data. One line a jar; `#` begins a comment; the first comment lines
hold the coordinates from which the lock was made. It is made by jgo's resolver (`make_lock`); using it resolves
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.lab.errors import JarsUnavailable, LabError

KAFKA_VERSION = "4.3.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-mirror:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # Kafka logs through SLF4J; this binding writes to stderr and needs no file
)
LOCK_PATH = Path(__file__).with_name("kafka-jars.lock")


@dataclass(frozen=True)
class LockedJar:
    """One jar: where a Maven repository has it, and what its bytes must be."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def filename(self) -> str:
        """The file's name, unique within a lock."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        """The path below the root of a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.filename}"


@dataclass(frozen=True)
class JarLock:
    """All jars, in classpath order. `digest` tells one lock from another."""

    jars: tuple[LockedJar, ...]
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all jars."""
        return sum(jar.size for jar in self.jars)


def read_lock(path: Path = LOCK_PATH) -> JarLock:
    """Read a lock. Raises LabError where a line is not one."""
    jars = []
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            coordinate, sha256, size = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(LockedJar(group, artifact, version, sha256.removeprefix("sha256:"), int(size)))
        except ValueError as error:
            raise LabError(
                f"{path}:{number}: expected `group:artifact:version sha256:HEX BYTES`, found {line!r}"
            ) from error
    return JarLock(tuple(jars), hashlib.sha256(text.encode()).hexdigest())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_lock(
    path: Path,
    progress: Callable[[str], None],
    coordinates: Sequence[str] = COORDINATES,
    title: str = f"Kafka {KAFKA_VERSION}: broker, tools and MirrorMaker 2. Made by `tidegate lab lock`; do not edit.",
) -> JarLock:
    """Resolve coordinates anew through jgo and write the lock. Blocks; fetches what `~/.m2` lacks.

    Raises JarsUnavailable where a repository does not answer.
    """
    import jgo  # noqa: PLC0415  # costs 200 ms, and only this and the first fetch need it

    lines = [
        f"# {title}",
        *(f"#   {coordinate}" for coordinate in coordinates),
    ]
    try:
        artifacts = jgo.resolve("+".join(coordinates))
        for number, artifact in enumerate(artifacts, start=1):
            file = Path(artifact.resolve())
            progress(f"{number} of {len(artifacts)}: {artifact.filename}")
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            lines.append(f"{coordinate} sha256:{sha256_of(file)} {file.stat().st_size}")
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # requests' errors are OSErrors; jgo's own are the other two
        raise JarsUnavailable(f"expected Maven Central to resolve {coordinates[0]}; found: {error}") from error
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_lock(path)
