"""Where a run's files lie: `OUT/<scenario>/<start>/`, self-contained, never used twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one run and the names in it."""

    path: Path

    @property
    def journal(self) -> Path:
        """Return the path of the hash-chained journal."""
        return self.path / "journal.jsonl"

    @property
    def ledger(self) -> Path:
        """Return the path of the ledger's rows."""
        return self.path / "ledger.jsonl"

    @property
    def scenario(self) -> Path:
        """Return the path of the scenario as it was run, byte for byte."""
        return self.path / "scenario.yaml"

    @property
    def summary(self) -> Path:
        """Return the path of the verdict in numbers."""
        return self.path / "summary.json"

    @property
    def page(self) -> Path:
        """Return the path of the report that people read."""
        return self.path / "index.html"

    @property
    def logs(self) -> Path:
        """Return the folder for what the parts say of themselves."""
        return self.path / "logs"

    @property
    def work(self) -> Path:
        """Return the folder of the gateway's declarations and state (kept: they say what was run)."""
        return self.path / "gateway"


def make_run_directory(out: Path, scenario: str, started: datetime) -> RunDirectory:
    """Make the folder of a run that starts now. A second run in the same second gets `-2` behind its name."""
    stamp = started.strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        path = out / scenario / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        directory = RunDirectory(path.resolve())
        directory.logs.mkdir()
        directory.work.mkdir()
        return directory
