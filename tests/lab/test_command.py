"""`tidegate lab`: in the background and away again."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.cli.lab import app
from appliance.lab import LabError
from appliance.lab.record import hold, is_held, read_record


def lab(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--dir", str(directory)])


def test_up_status_down(tmp_path: Path):
    command = [sys.executable, "-m", "appliance", "lab", "up", "--lab", "embedded", "--detach", "--dir", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        record = read_record(tmp_path)
        assert record is not None
        assert record.kind == "embedded"
        assert record.replicating
        shown = lab(tmp_path, "status").stdout
        for cluster in ("primary", "standby"):
            assert record.clusters[cluster][0].address in shown
        second = lab(tmp_path, "up", "--lab", "embedded")
        assert (second.exit_code, second.stderr[:22]) == (1, "error: expected no lab")
    finally:
        ended = lab(tmp_path, "down")
    assert (ended.exit_code, ended.stdout) == (0, "the lab has ended\n")
    assert not is_held(tmp_path)
    nothing = lab(tmp_path, "status")
    assert nothing.exit_code == 1
    assert nothing.stderr.startswith("error: expected a running lab in ")


def test_a_record_whose_process_is_gone_is_of_the_past(tmp_path: Path):
    (tmp_path / "lab.lock").touch()
    (tmp_path / "lab.json").write_text("{}")
    assert read_record(tmp_path) is None
    with hold(tmp_path):
        assert not (tmp_path / "lab.json").exists()
        (tmp_path / "lab.json").write_text("{}")
        with pytest.raises(LabError, match="expected a lab's record"):
            read_record(tmp_path)
        with pytest.raises(LabError, match="found one running"), hold(tmp_path):
            pass
