"""`tidegate user`: from a password to what a gateway may know of it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.cli.app import app
from appliance.cli.users import resource_name
from appliance.resources.documents import check_resource, parse_documents
from appliance.resources.user import User
from tests.identity.scene import ALL, Shell, client, policy


def made(name: str, password: str | bytes, *options: str) -> Result:
    arguments = ["user", name, "--password-stdin", *options]
    return CliRunner().invoke(app, arguments, input=password, env={"COLUMNS": "200"})


def declared(result: Result) -> User:
    assert result.exit_code == 0, result.output
    (document,) = parse_documents(result.stdout, "stdout")
    found = check_resource(document)
    assert isinstance(found, User)
    return found


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_whoever_has_the_password_comes_in(ending: str):
    result = made("alice", f"correct horse{ending}", "--group", "shop", "--group", "stock")
    user = declared(result)
    assert "correct horse" not in result.output
    assert user.spec.groups == ["shop", "stock"]
    for mechanism in ALL:
        Shell(policy([user])).log_in(client(mechanism))


def test_two_users_of_one_password_do_not_look_alike():
    one, other = (declared(made("alice", "correct horse")).spec for _ in range(2))
    assert one.scram["SCRAM-SHA-256"].salt != other.scram["SCRAM-SHA-256"].salt
    assert one.scrypt is not None
    assert other.scrypt is not None
    assert one.scrypt.hash != other.scrypt.hash


def test_a_name_that_is_no_resources_becomes_the_username():
    user = declared(made("Alice@Example.com", "correct horse"))
    assert (user.name, user.username) == ("alice-example-com", "Alice@Example.com")


@pytest.mark.parametrize(
    ("name", "resource"), [("a", "a"), ("CN=x,O=y", "cn-x-o-y"), ("-_a_-", "a"), ("a" * 80, "a" * 63)]
)
def test_names_of_resources(name: str, resource: str):
    assert resource_name(name) == resource


@pytest.mark.parametrize("password", ["", "\n", "tab\tin it", "gro\u0308ße", b"\xff\xfe"])
def test_passwords_that_clients_would_not_send_alike(password: str | bytes):
    result = made("alice", password)
    assert result.exit_code == 2
    assert "expected a password" in result.stderr


def test_a_short_password_is_remarked_upon():
    assert "fewer than 8 characters" in made("alice", "short").stderr


@pytest.mark.parametrize("name", ["", "a\nb", "日本"])
def test_names_that_cannot_be(name: str):
    assert made(name, "correct horse").exit_code == 2


def test_a_password_is_no_argument():
    result = CliRunner().invoke(app, ["user", "alice", "hunter2"])
    assert result.exit_code == 2


def test_without_a_terminal_it_is_said_how():
    result = CliRunner().invoke(app, ["user", "alice"])
    assert result.exit_code == 2
    assert "--password-stdin" in result.stderr


@pytest.mark.timeout(60)
def test_a_terminal_is_asked_twice_and_shows_nothing():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "appliance", "user", "alice"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        shown = b""
        for _ in range(2):
            while not shown.endswith(b": "):  # the blank comes when the terminal has ceased to echo
                shown += os.read(ours, 1000)
            os.write(ours, b"correct horse\n")
            shown += os.read(ours, 1)
        printed, _ = child.communicate()
    os.close(ours)
    assert child.returncode == 0
    assert b"correct horse" not in shown
    assert b"kind: User" in printed


def test_what_is_printed_can_be_piped_into_apply(tmp_path: Path):
    """`apply -f -` reads standard input: without a gateway it gets as far as looking for one."""
    result = made("alice", "correct horse")
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "apply", "-f", "-", "--api", "http://127.0.0.1:1"],
        input=result.stdout, capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "TIDEGATE_TOKEN": "x"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
