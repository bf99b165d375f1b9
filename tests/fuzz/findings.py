"""What a campaign found, each kind of it once, and the bytes that show it."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from pathlib import Path

MOST = 20
"""Kinds of findings after which nobody learns more."""


@dataclass(frozen=True)
class Finding:
    what: str
    """The error and where it was raised: one kind of finding."""
    where: str
    """How to see it again."""
    trace: str
    said: bytes
    """All bytes of the client."""
    answered: bytes
    """All bytes of the broker."""


def of_error(error: BaseException, where: str, said: bytes, answered: bytes) -> Finding:
    """Return what an exception shows."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    trace = "".join(traceback.format_exception(error))
    return Finding(f"{type(error).__name__}: {error}{place}"[:300], where, trace, said, answered)


class Findings:
    """Kept by kind, and written to a folder, if there is one, as they come."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.kinds: dict[str, Finding] = {}

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def full(self) -> bool:
        """Whether it makes no sense to look for more."""
        return len(self.kinds) >= MOST

    def add(self, finding: Finding) -> None:
        """Keep it and write it down, unless one of its kind is known."""
        if finding.what in self.kinds or self.full:
            return
        self.kinds[finding.what] = finding
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / f"finding-{len(self.kinds)}"
        stem.with_suffix(".client.bin").write_bytes(finding.said)
        stem.with_suffix(".broker.bin").write_bytes(finding.answered)
        about = {"what": finding.what, "where": finding.where, "trace": finding.trace.splitlines()}
        stem.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
