"""What the documents tell people to type, works; what they link to, is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance.cli.app import app
from appliance.resources.documents import load_resources

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _commands(start: str) -> list[list[str]]:
    """Every command line in a shell block that starts with this word."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == start:
                    found.append(words)
    return found


def test_the_readme_opens_with_the_two_commands():
    first = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    assert [shlex.split(line, comments=True) for line in first.splitlines()] == [["make", "drill"], ["make", "test"]]


@pytest.mark.parametrize("words", _commands("make"), ids=" ".join)
def test_every_make_command_has_a_target(words: list[str]):
    done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", _commands(".venv/bin/tidegate"), ids=" ".join)
def test_every_tidegate_command_is_understood(words: list[str]):
    """The command with its own options is parsed up to `--help`, which is asked for last: an unknown one is refused."""
    done = CliRunner().invoke(app, [*words[1:], "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for option in (word for word in words if word.startswith("--")):
        assert option in done.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("example", sorted((ROOT / "docs/examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid(example: Path):
    assert load_resources(example)


def test_every_scenario_of_the_readme_is_there():
    named = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))
