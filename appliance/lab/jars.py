"""Kafka's jars on this machine: fetched once per user, every byte checked against the lock, then taken as they are.

The cache is `$XDG_CACHE_HOME/tidegate/kafka-VERSION-LOCK/` (default `~/.cache`). A jar comes from the user's own
Maven repository where its bytes are the locked ones, otherwise through jgo (so that repositories named in
`jgo.conf` are asked first). It is checked before it gets its name in the cache: whatever lies there under its name
is whole and right, an interrupted fetch goes on where it stopped, and the stamp `complete` spares hashing 55 MB at
each start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from appliance.lab.errors import JarDiffers, JarsUnavailable
from appliance.lab.jarlock import KAFKA_VERSION, JarLock, LockedJar, sha256_of

_CONNECTIONS = 6
"""At once to a repository: as many as browsers open to one host."""

_ATTEMPTS = 2
"""One broken connection among 94 jars is no reason to give up; a second try costs nothing where nobody answers."""


def cache_folder() -> Path:
    """Return the user's cache folder for Tidegate; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate"


def obtain_jars(lock: JarLock, progress: Callable[[str], None], cache: Path | None = None) -> list[Path]:
    """Return the locked jars as files, fetching those that are missing. Blocks: call it in a thread.

    Several processes may call it at once: one fetches, the others wait for it. `progress` is called from this
    thread. Raises JarsUnavailable where a repository cannot be reached, JarDiffers where one serves other bytes
    than the lock's.
    """
    folder = (cache or cache_folder()) / f"kafka-{KAFKA_VERSION}-{lock.digest[:12]}"
    jars = [folder / jar.filename for jar in lock.jars]
    stamp = folder / "complete"
    if stamp.exists() and _sizes_agree(lock, jars):
        return jars
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / "lock", progress):
            if not (stamp.exists() and _sizes_agree(lock, jars)):
                _fill(folder, lock, progress)
                stamp.touch()
    except OSError as error:
        raise JarsUnavailable(f"expected to keep Kafka's jars in {folder}; found: {error}") from error
    return jars


def _sizes_agree(lock: JarLock, jars: list[Path]) -> bool:
    """Whether no jar was lost or cut off since the stamp was made; 94 calls of `stat`, a millisecond."""
    with contextlib.suppress(OSError):
        return all(path.stat().st_size == jar.size for path, jar in zip(jars, lock.jars, strict=True))
    return False


@contextlib.contextmanager
def _alone(path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold a file lock; the kernel gives it back if we die."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that is fetching Kafka's jars")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(folder: Path, lock: JarLock, progress: Callable[[str], None]) -> None:
    missing = [jar for jar in lock.jars if not _holds(folder / jar.filename, jar)]
    if not missing:
        return
    incoming = folder / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)  # a file cut off there would be taken for whole by jgo
    source = _Repositories(incoming)
    missing = [jar for jar in missing if not source.copy(jar, folder)]
    if missing:
        progress(f"fetching Kafka {KAFKA_VERSION} (once, about {round(sum(jar.size for jar in missing) / 1e6)} MB)")
    pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="jars")
    try:
        pending = {pool.submit(source.fetch, jar, folder) for jar in missing}
        while pending:
            done, pending = wait(pending, timeout=2, return_when=FIRST_EXCEPTION)
            for fetched in done:
                fetched.result()
            if pending:
                progress(f"fetching Kafka {KAFKA_VERSION}: {len(lock.jars) - len(pending)} of {len(lock.jars)} jars")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(incoming, ignore_errors=True)


def _holds(path: Path, jar: LockedJar) -> bool:
    return path.exists() and path.stat().st_size == jar.size and sha256_of(path) == jar.sha256


class _Repositories:
    """The user's Maven repository and, behind it, the remote ones of jgo's settings, Maven Central last."""

    def __init__(self, incoming: Path) -> None:
        # jgo costs 200 ms to import, and only the first start of a lab needs it.
        from jgo.config import GlobalSettings  # noqa: PLC0415
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext  # noqa: PLC0415

        settings = GlobalSettings.load()
        self._local = Path(settings.repo_cache)
        # Not into the user's repository: jgo writes a file in place, and one cut off would be everybody's trouble.
        self._maven: Any = MavenContext(
            repo_cache=incoming,
            remote_repos={**settings.repositories, "central": MAVEN_CENTRAL_URL},
        )

    def copy(self, jar: LockedJar, folder: Path) -> bool:
        """Take one jar from the user's own repository, if it has the locked bytes; false where it has not."""
        own = self._local / jar.repository_path
        if not _holds(own, jar):
            return False
        part = folder / f"{jar.filename}.part"
        shutil.copyfile(own, part)
        part.replace(folder / jar.filename)
        return True

    def fetch(self, jar: LockedJar, folder: Path) -> None:
        """Put one jar from a remote repository in its place. Blocks."""
        arrived = self._download(jar)
        found = sha256_of(arrived)
        if found != jar.sha256:
            raise JarDiffers(
                f"{jar.coordinate}: expected the jar with SHA-256 {jar.sha256} that the lock names, found {found}: "
                "the repository's jar was changed or cut off on the way; do not use it, try again or ask its keeper"
            )
        arrived.replace(folder / jar.filename)

    def _download(self, jar: LockedJar) -> Path:
        artifact = self._maven.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                return Path(artifact.resolve())
            except (
                OSError,
                RuntimeError,
            ) as error:  # requests' errors are OSErrors; jgo's own "not found" is the other
                Path(artifact.cached_path).unlink(missing_ok=True)  # or jgo takes the part that arrived for the whole
                if not attempts_left:
                    raise JarsUnavailable(
                        f"expected {jar.coordinate} from {', '.join(self._maven.remote_repos.values())}; found: "
                        f"{_brief(error)}; connect once to fetch Kafka's jars, or use the embedded lab"
                    ) from error
        raise AssertionError("unreachable")


def _brief(error: BaseException) -> str:
    """The innermost reason: requests wraps it three deep, each layer repeating the URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}"
