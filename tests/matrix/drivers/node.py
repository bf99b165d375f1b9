"""The clients for Node.js: three libraries, each installed by `npm ci` from a lock file of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.cache import built, call
from tests.matrix.driver import PROGRAMS, Check, Command, Driver, Progress
from tests.matrix.standing import Mode
from tests.matrix.tasks import Task

FOLDER = PROGRAMS / "node"
_HEADERS = {"curl/curl.h": "libcurl", "sasl/sasl.h": "libsasl2", "zstd.h": "libzstd"}
_NO_SHARE = {Check.SHARE: "the library has no share groups"}
_NO_MOVE = (
    "does not live through a move of its group's coordinator, within one cluster and without a gateway either. It "
    "keeps the coordinator's node id and looks it up among the brokers of new Metadata, without a check that it is "
    "there: the TypeError is raised where no application can catch it. Let a supervisor start the process anew. "
    "Version 2.12.1, which wants Node.js 22, looks for the coordinator anew, and then commits with a member id that is "
    "null, upon which a broker closes the connection"
)
_CLASSIC_ONLY = {**_NO_SHARE, Check.NEW_GROUP: "the library has classic groups only"}


class NodeClient(Driver):
    """A program of `programs/node`, `STEM.mjs`; its package.json and lock are in the folder STEM."""

    language = "JavaScript"
    assigns = False

    def __init__(self, stem: str, package: str, cannot: Mapping[Check, str], remark: str = "") -> None:
        self._stem = stem
        self.name = package
        locked = json.loads((FOLDER / stem / "package-lock.json").read_text(encoding="utf-8"))
        self.version = locked["packages"][f"node_modules/{package}"]["version"]
        self.cannot = cannot
        self.remark = remark
        self._installed = Path()

    def needs(self) -> str | None:
        missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
        return f"no Node.js: {' and '.join(missing)} not on the PATH" if missing else None

    def prepare(self, progress: Progress) -> None:
        package = ("package.json", "package-lock.json")
        programs = ("given.mjs", f"{self._stem}.mjs")
        libraries = built(
            f"node-{self._stem}", FOLDER / self._stem, package, lambda folder: self._install(folder, progress)
        )

        def join(folder: Path) -> None:
            (folder / "node_modules").symlink_to(libraries / "node_modules")

        self._installed = built(f"node-{self._stem}-program", FOLDER, programs, join, salt=libraries.name)

    def _install(self, folder: Path, progress: Progress) -> None:
        progress("npm ci")
        call(["npm", "ci", "--no-audit", "--no-fund"], folder, self._environment())

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def command(self, task: Task, folder: Path) -> Command:  # noqa: ARG002 - it needs no files
        return Command(("node", str(self._installed / f"{self._stem}.mjs"), *task.flags()))


class ConfluentNodeClient(NodeClient):
    """The one that is built on the machine: its package carries the sources of librdkafka and of the binding."""

    def needs(self) -> str | None:
        if (missing := super().needs()) is not None:
            return missing
        if lacking := [tool for tool in ("make", "c++", "python3") if shutil.which(tool) is None]:
            return f"no C++ toolchain: {', '.join(lacking)} not on the PATH"
        lacking = [library for header, library in _HEADERS.items() if not _compiles(header)]
        return f"no headers of {', '.join(lacking)}" if lacking else None

    def _environment(self) -> dict[str, str]:
        """Shared libraries are the machine's own; Node.js' headers, where they lie beside it, are not fetched."""
        prefix = Path(shutil.which("node") or "/usr/bin/node").resolve().parents[1]
        headers = {"npm_config_nodedir": str(prefix)} if (prefix / "include" / "node").is_dir() else {}
        return {**super()._environment(), "CKJS_LINKING": "dynamic", **headers}


class Platformatic(NodeClient):
    """The one whose consumers stay with their coordinator."""

    falls_as = dict.fromkeys((Mode.CLASSIC, Mode.NEW_GROUP), _NO_MOVE)


def _compiles(header: str) -> bool:
    done = subprocess.run(
        ["c++", "-fsyntax-only", "-x", "c++", "-"],
        input=f"#include <{header}>\n",
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def node_clients() -> list[Driver]:
    """Return them all."""
    return [
        NodeClient("kafkajs", "kafkajs", _CLASSIC_ONLY),
        ConfluentNodeClient(
            "confluent", "@confluentinc/kafka-javascript", _NO_SHARE, "librdkafka, the KafkaJS interface"
        ),
        Platformatic("platformatic", "@platformatic/kafka", _NO_SHARE),
    ]
