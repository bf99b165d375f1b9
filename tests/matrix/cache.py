"""What is built once per user: folders named for the bytes that they were made of."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from appliance.lab.jars import cache_folder
from tests.matrix.driver import CannotPrepareError

BUILD_SECONDS = 900


def built(name: str, root: Path, sources: Iterable[str], build: Callable[[Path], None], *, salt: str = "") -> Path:
    """Return the folder in which `build` has made something of these sources; it is called once for the same bytes.

    Sources are paths below `root`, and lie at the same paths in the folder when `build` is called. A build that fails
    leaves its log, and is done anew the next time.
    """
    sources = sorted(sources)
    digest = hashlib.sha256(salt.encode())
    for source in sources:
        digest.update(f"{source}\0".encode() + (root / source).read_bytes() + b"\0")
    folder = cache_folder() / "clients" / f"{name}-{digest.hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of one user
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            for source in sources:
                (folder / source).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / source, folder / source)
            build(folder)
            (folder / "complete").touch()
    return folder


def call(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run one step of a build; its output is kept in `build.log`. Raises CannotPrepareError."""
    log = folder / "build.log"
    try:
        with log.open("ab") as output:
            done = subprocess.run(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotPrepareError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise CannotPrepareError(f"{' '.join(command[:3])} ended with status {done.returncode}; see {log}")
