"""What is built once per user is built from the bytes that are there, and never half."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.matrix.cache import built, call
from tests.matrix.driver import CannotPrepareError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "root" / "below").mkdir(parents=True)
    file = tmp_path / "root" / "below" / "program"
    file.write_text("one")
    return file


def test_the_same_bytes_are_built_once_and_others_anew(tmp_path: Path, source: Path):
    builds: list[str] = []

    def build(folder: Path) -> None:
        builds.append((folder / "below" / "program").read_text())

    first = built("x", tmp_path / "root", ["below/program"], build)
    assert built("x", tmp_path / "root", ["below/program"], build) == first
    source.write_text("two")
    assert built("x", tmp_path / "root", ["below/program"], build) != first
    assert built("x", tmp_path / "root", ["below/program"], build, salt="another compiler") != first
    assert builds == ["one", "two", "two"]


def test_a_build_that_failed_is_done_again_and_its_log_is_named(tmp_path: Path, source: Path):
    assert source.exists()

    def failing(folder: Path) -> None:
        call(["sh", "-c", "echo why it failed; exit 3"], folder, os.environ)

    with pytest.raises(CannotPrepareError, match=r"ended with status 3; see (\S+)") as failure:
        built("x", tmp_path / "root", ["below/program"], failing)
    log = Path(str(failure.value).rpartition("see ")[2])
    assert log.read_text() == "why it failed\n"
    assert not (built("x", tmp_path / "root", ["below/program"], lambda _: None) / "build.log").exists()


def test_a_tool_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(CannotPrepareError, match="no-such-tool"):
        call(["no-such-tool"], tmp_path, os.environ)
