"""The clients for Go: one module, one program each, built by `go build` from a go.sum."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.cache import built, call
from tests.matrix.driver import PROGRAMS, Check, Command, Driver, Progress
from tests.matrix.tasks import Task

FOLDER = PROGRAMS / "go"
_CLASSIC_ONLY = {
    Check.NEW_GROUP: "the library's consumer has classic groups only",
    Check.SHARE: "the library has no share groups",
}


class GoClient(Driver):
    """The program in the folder `program`, which uses `module`."""

    language = "Go"

    def __init__(self, name: str, program: str, module: str, cannot: Mapping[Check, str], remark: str = "") -> None:
        self.name = name
        self._program = program
        self.version = _required(module)
        self.cannot = cannot
        self.remark = remark
        self._built = Path()

    def needs(self) -> str | None:
        if shutil.which("go") is None:
            return "no Go toolchain: go is not on the PATH"
        wanted = _version(_required("go"))
        told = subprocess.run(
            ["go", "env", "GOVERSION"], capture_output=True, text=True, env=_local(), check=False
        ).stdout
        if _version(told) < wanted:
            return f"no Go toolchain of {'.'.join(map(str, wanted))} or newer: found {told.strip() or 'none'}"
        return None

    def prepare(self, progress: Progress) -> None:
        def build(folder: Path) -> None:
            progress("go build")
            call(["go", "build", "-mod=readonly", "-o", "client", f"./{self._program}"], folder, _local())

        sources = ["go.mod", "go.sum", "given/given.go", f"{self._program}/main.go"]
        self._built = built(f"go-{self._program}", FOLDER, sources, build)

    def command(self, task: Task, folder: Path) -> Command:  # noqa: ARG002 - it needs no files
        return Command((str(self._built / "client"), *task.flags()))


class KafkaGo(GoClient):
    """segmentio's."""

    idempotent = False
    assigns = False


def _local() -> dict[str, str]:
    """Go would fetch another toolchain where go.mod asks for one."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _required(module: str) -> str:
    """Return the version that go.mod names for a module, or for go itself."""
    found = re.search(
        rf"^\s*{re.escape(module)} v?(\S+)", (FOLDER / "go.mod").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None, f"{module} stands in go.mod"
    return found[1]


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))


def go_clients() -> list[Driver]:
    """Return them all."""
    no_transactions = {**_CLASSIC_ONLY, Check.TRANSACTIONS: "the library's writer has no transactions"}
    return [
        GoClient("franz-go", "franz", "github.com/twmb/franz-go", {}),
        GoClient("sarama", "sarama", "github.com/IBM/sarama", _CLASSIC_ONLY),
        KafkaGo("kafka-go", "segmentio", "github.com/segmentio/kafka-go", no_transactions),
    ]
