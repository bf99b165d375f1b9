"""Run directories of all variants, each written afresh for the test that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report import rehearsal
from tests.report.variants import VARIANTS

RunOf = Callable[[str], Path]


@pytest.fixture
def run_of(tmp_path: Path) -> RunOf:
    """Return a function that writes the variant's run directory and returns it."""

    def write(variant: str) -> Path:
        summary, events = VARIANTS[variant]()
        directory = tmp_path / variant
        rehearsal.write(directory, summary, events)
        return directory

    return write
