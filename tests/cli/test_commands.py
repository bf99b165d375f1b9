"""What users type against a gateway that runs; its clusters are out of reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from appliance.cli.app import app
from tests.cli.gateway import Served, free_port, served
from tests.cli.test_serve import orders

SLOW = "{kind: Fault, metadata: {name: slow}, spec: {virtual_cluster: orders, duration: 1m, latency: {delay: 1s}}}"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "resources.yaml").write_text(orders(free_port()))
    with served(
        folder, "-f", folder / "resources.yaml", "--api", "127.0.0.1:0", "--state", folder / "state"
    ) as running:
        yield running


def tidegate(gateway: Served, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, *gateway.connection], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def apply(gateway: Served, tmp_path: Path, text: str) -> Result:
    path = tmp_path / "more.yaml"
    path.write_text(text)
    return tidegate(gateway, "apply", "-f", str(path))


def test_apply_says_what_it_did(gateway: Served, tmp_path: Path):
    third = '{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["127.0.0.1:%d"]}}'
    said = [apply(gateway, tmp_path, third % port).output for port in (2, 2, 3)]
    assert said == ["Cluster third: created\n", "Cluster third: unchanged\n", "Cluster third: changed\n"]
    assert tidegate(gateway, "delete", "cluster", "third").output == "clusters/third deleted\n"


def test_apply_goes_on_after_a_refusal(gateway: Served, tmp_path: Path):
    lost = "{kind: VirtualCluster, metadata: {name: lost}, spec: {cluster: nowhere}}"
    result = apply(gateway, tmp_path, f"{lost}\n---\n{SLOW}")
    assert result.exit_code == 1
    assert "VirtualCluster lost: spec.cluster: there is no Cluster nowhere" in result.stderr
    assert result.stdout == "Fault slow: created (lasts 1m; lapses 15s after it was last applied)\n"
    assert tidegate(gateway, "delete", "faults", "--all").stdout == "1 faults ended\n  slow\n"


def test_apply_refuses_what_is_not_a_resource(gateway: Served, tmp_path: Path):
    result = apply(gateway, tmp_path, "kind: Scenario\nmetadata: {name: x}")
    assert result.exit_code == 2
    assert "a Scenario is run, not applied: tidegate drill run FILE" in result.stderr


def test_get_in_all_forms(gateway: Served):
    assert tidegate(gateway, "get", "vc").stdout.split() == (
        ["NAME", "CLUSTER", "STANDBYS", "REPLICATION", "orders", "primary", "standby", "mirrormaker"]
    )
    one = json.loads(tidegate(gateway, "get", "Cluster", "primary", "-o", "json").stdout)
    assert list(one) == ["apiVersion", "kind", "metadata", "spec"]
    several = list(yaml.safe_load_all(tidegate(gateway, "get", "clusters", "-o", "yaml").stdout))
    assert [each["metadata"]["name"] for each in several] == ["primary", "standby"]
    assert tidegate(gateway, "get", "listener", "orders").stdout.startswith("NAME")


def test_what_get_writes_apply_reads(gateway: Served, tmp_path: Path):
    text = tidegate(gateway, "get", "virtualclusters", "-o", "yaml").stdout
    assert apply(gateway, tmp_path, text).output == "VirtualCluster orders: unchanged\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["get", "topics"], 2, "error: unknown kind 'topics': expected one of clusters, listeners"),
        (["get", "cluster", "none"], 1, "error: there is no Cluster none"),
        (["delete", "cluster", "primary"], 1, "error: Cluster primary cannot be deleted: it is used by"),
        (["delete", "cluster"], 2, "error: say one name"),
        (["delete", "clusters", "--all"], 2, "error: say one name"),
        (["apply", "-f", "/nowhere"], 2, "error: -f /nowhere: there is no such file"),
        (["switchover", "orders", "--to", "x"], 2, "error: orders cannot be switched to x\n  to: expected one of"),
        (["switchover", "nobody", "--to", "standby"], 1, "error: there is no VirtualCluster nobody"),
        (["switchover", "orders", "--to", "standby", "--hold", "20"], 2, "error: --hold: expected a duration"),
        (["switchover", "orders", "--to", "standby", "--hold", "1h"], 2, "hold: input should be less than"),
    ],
)
def test_refusals_are_one_message(gateway: Served, arguments: list[str], code: int, message: str):
    result = tidegate(gateway, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_a_switchover_that_cannot_be(gateway: Served):
    result = tidegate(gateway, "switchover", "orders", "--to", "standby")
    assert result.exit_code == 1
    assert "rolled-back   preflight: cluster standby: expected an answer to all that preflight asks" in result.stdout


def test_a_dry_run_shows_its_problems(gateway: Served):
    result = tidegate(gateway, "switchover", "orders", "--to", "standby", "--dry-run", "--unplanned")
    assert result.exit_code == 1
    assert "plan: primary -> standby" in result.stdout
    assert "cluster standby cannot be reached" in result.stdout
    assert "bring it back, or wait for it" in result.stdout


def test_a_switchover_to_who_serves(gateway: Served):
    result = tidegate(gateway, "switchover", "orders", "--to", "primary")
    assert (result.exit_code, result.stdout.split()[-5:]) == (0, ["done", "primary", "serves", "orders", "already"])
    assert tidegate(gateway, "switchover", "orders", "--to", "primary", "--no-wait").exit_code == 0


def test_what_switchovers_there_were(gateway: Served):
    tidegate(gateway, "switchover", "start", "orders", "--to", "standby")
    result = tidegate(gateway, "switchover", "history")
    assert result.exit_code == 0
    assert "orders" in result.stdout
    assert "rolled-back" in result.stdout
    name = result.stdout.splitlines()[1].split()[0]
    one = tidegate(gateway, "switchover", "history", "--id", name)
    assert one.stdout.startswith(f"{name}: orders from primary to ")
    assert "plan: primary -> standby" in one.stdout
    assert tidegate(gateway, "switchover", "cancel", "orders").stderr.startswith("error: switchover ")
    assert "does not pause" in tidegate(gateway, "switchover", "continue", name).stderr
    assert "say a virtual cluster, or --all-of" in tidegate(gateway, "switchover", "--to", "standby").stderr


def test_status(gateway: Served):
    result = tidegate(gateway, "status")
    assert result.exit_code == 0
    for part in ("orders", "primary", "standby", gateway.ready.listeners[0].bootstrap):
        assert part in result.stdout


def test_an_api_that_is_not_there(tmp_path: Path):
    result = CliRunner().invoke(app, ["status", "--api", "127.0.0.1:1"], env={"XDG_STATE_HOME": str(tmp_path)})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: no control API at http://127.0.0.1:1")


def test_a_token_file_that_is_not_there():
    result = CliRunner().invoke(app, ["status", "--token-file", "/nowhere"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the token file /nowhere cannot be read: No such file or directory\n"
