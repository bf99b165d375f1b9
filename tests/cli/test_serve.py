"""`tidegate serve` from its start to its end, in a process of its own."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from appliance import __version__
from tests.cli.gateway import free_port, run, served
from tests.control.world import ORDERS

NOBODY = "127.0.0.1:1"


def orders(port: int) -> str:
    """Resources with clusters that nobody serves."""
    text = ORDERS.replace("10.0.0.1:9092", NOBODY).replace("10.0.0.2:9092", NOBODY).replace("10.0.0.3:9092", NOBODY)
    return text.replace("19092", str(port)).replace("19093", str(free_port())).replace("count: 10", "count: 1")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    path = tmp_path / "resources.yaml"
    path.write_text(orders(free_port()))
    return path


def test_version():
    assert run("--version").stdout == f"tidegate {__version__}\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_what_listens_and_ends_cleanly(tmp_path: Path, files: Path, number: int, code: int):
    with served(tmp_path / "gateway", "-f", files, "--api", "127.0.0.1:0", "--state", tmp_path / "state") as gateway:
        (listener,) = gateway.ready.listeners
        assert f"listener orders: {listener.bootstrap} (brokers from port" in gateway.log
        assert f"control API: {gateway.ready.api} (token in {tmp_path / 'state' / 'token'})" in gateway.log
        host, port = listener.bootstrap.split(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        assert gateway.ready.token_file is not None
        assert gateway.ready.token_file.stat().st_mode & 0o777 == 0o600
        assert gateway.ready.token_file.read_text().strip() not in gateway.log
        assert gateway.end(number) == code
        assert "Traceback" not in gateway.log
        assert not (tmp_path / "gateway" / "ready.json").exists()


def test_one_cluster_is_passed_through_without_files(tmp_path: Path):
    port = free_port()
    with served(tmp_path, "--to", NOBODY, "--listen", f"127.0.0.1:{port}") as gateway:
        assert gateway.ready.api is None
        (listener,) = gateway.ready.listeners
        assert (listener.virtual_cluster, listener.bootstrap) == ("default", f"127.0.0.1:{port}")
        assert gateway.end() == 0
    assert not (tmp_path / "xdg").exists()


def test_a_token_from_the_environment(tmp_path: Path):
    arguments = ["--to", NOBODY, "--listen", f"127.0.0.1:{free_port()}", "--api", "127.0.0.1:0"]
    with served(tmp_path, *arguments, TIDEGATE_TOKEN="from-the-environment") as gateway:
        assert gateway.ready.token_file is None
        api = str(gateway.ready.api)
        assert run("status", "--api", api, TIDEGATE_TOKEN="from-the-environment").returncode == 0
        wrong = run("status", "--api", api, TIDEGATE_TOKEN="not-from-the-environment")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == f"error: {api} refuses the token: expected a bearer token that this gateway knows\n"


WRONG = [
    ([], "error: say what to serve: -f DIR|FILE, or --to HOST:PORT together with --listen HOST:PORT"),
    (["--to", "x", "--listen", "127.0.0.1:1"], "error: --to: expected HOST:PORT"),
    (["--to", "x:1", "--listen", "0.0.0.0:9092"], "error: --listen 0.0.0.0:9092: expected an address that clients"),
    (["-f", "/nowhere"], "error: -f /nowhere: there is no such file or folder"),
    (["-f", "/nowhere", "--to", "x:1"], "error: say either -f (resources in files) or --to and --listen"),
    (
        ["--to", "x:1", "--listen", "127.0.0.1:19092", "--api", "0.0.0.0:8474"],
        "error: --api 0.0.0.0:8474: others could reach it; say --api-token-file",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_options(arguments: list[str], message: str):
    ended = run("serve", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1


def test_all_problems_of_the_files_with_their_places(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("kind: Cluster\nmetadata: {name: a}\nspec:\n  bootstrap: []\n  more: 1\n")
    (tmp_path / "b.yaml").write_text("kind: Scenario\nmetadata: {name: b}\n")
    ended = run("serve", "-f", tmp_path)
    assert ended.returncode == 2
    first, second, third, hint = ended.stderr.splitlines()
    assert first.startswith(f"{tmp_path / 'a.yaml'}:4: spec.bootstrap: ")
    assert second == f"{tmp_path / 'a.yaml'}:5: spec.more: unknown key"
    assert "found 'Scenario'" in third
    assert hint == "a Scenario is run, not applied: tidegate drill run FILE"


def test_faults_are_never_served_from_files(tmp_path: Path, files: Path):
    fault = "{kind: Fault, metadata: {name: slow}, spec: {virtual_cluster: orders, duration: 1m, latency: {delay: 1s}}}"
    files.write_text(files.read_text() + "\n---\n" + fault)
    ended = run("serve", "-f", files, XDG_STATE_HOME=str(tmp_path))
    assert ended.returncode == 2
    assert "has faults (slow): a gateway never starts with faults" in ended.stderr


def test_references_into_nothing(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("{kind: VirtualCluster, metadata: {name: a}, spec: {cluster: x}}")
    ended = run("serve", "-f", tmp_path / "a.yaml", "--state", tmp_path / "state")
    assert (ended.returncode, ended.stderr) == (
        2,
        "error: the resources do not fit together\n  VirtualCluster a: spec.cluster: there is no Cluster x\n",
    )


@pytest.mark.parametrize("taken", ["listener", "api"])
def test_a_taken_port_is_one_clear_message(tmp_path: Path, files: Path, taken: str):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        if taken == "listener":
            files.write_text(orders(port))
        api = f"127.0.0.1:{port if taken == 'api' else 0}"
        ended = run("serve", "-f", files, "--api", api, "--state", tmp_path / "state")
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_one_gateway_per_state_directory(tmp_path: Path, files: Path):
    with served(tmp_path / "one", "-f", files, "--api", "127.0.0.1:0", "--state", tmp_path / "state"):
        ended = run("serve", "-f", files, "--api", "127.0.0.1:0", "--state", tmp_path / "state")
    assert ended.returncode == 1
    assert "another gateway uses the state directory" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_token_that_is_none(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("short")
    ended = run(
        "serve", "--to", "x:1", "--listen", "127.0.0.1:19092", "--api", "127.0.0.1:0", "--api-token-file", token
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: the token in {token} is not fit")
