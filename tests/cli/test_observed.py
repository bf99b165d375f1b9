"""A gateway in a process of its own, seen from outside: port of its own for metrics, JSON logs without a secret."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from appliance.identity.verifiers import make_scram, make_scrypt
from tests.cli.gateway import Served, free_port, run, served

NOBODY = "127.0.0.1:1"
PASSWORD = "correct-horse-battery-staple"
GUESS = "hunter2-hunter2-hunter2"
UPSTREAM = "what-the-cluster-knows-us-by"
TOKEN = "token-of-the-api-0123456789"
SECRETS = (PASSWORD, GUESS, UPSTREAM, TOKEN)
SASL_HANDSHAKE, SASL_AUTHENTICATE = 17, 36


def resources(port: int, hashes: dict[str, Any]) -> str:
    documents = [
        {
            "kind": "Cluster",
            "metadata": {"name": "primary"},
            "spec": {
                "bootstrap": [NOBODY],
                "authentication": {
                    "plain": {"username": "tidegate", "password": {"env": "UPSTREAM_PASSWORD"}},
                    "allow_without_tls": True,
                },
            },
        },
        {"kind": "VirtualCluster", "metadata": {"name": "orders"}, "spec": {"cluster": "primary"}},
        {
            "kind": "Listener",
            "metadata": {"name": "internal"},
            "spec": {
                "bind": f"127.0.0.1:{port}",
                "virtual_cluster": "orders",
                "authentication": {"mechanisms": ["PLAIN"], "allow_without_tls": True},
            },
        },
        {"kind": "User", "metadata": {"name": "shop"}, "spec": hashes},
    ]
    return yaml.safe_dump_all({"apiVersion": "tidegate/v1", **each} for each in documents)


def log_in(port: int, password: str) -> int:
    """Log in by PLAIN; return the error code."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        assert _asked(sock, SASL_HANDSHAKE, b"\0\x05PLAIN")[:2] == b"\0\0"
        token = b"\0shop\0" + password.encode()
        return int.from_bytes(_asked(sock, SASL_AUTHENTICATE, struct.pack(">i", len(token)) + token)[:2], "big")


def _asked(sock: socket.socket, api_key: int, body: bytes) -> bytes:
    message = struct.pack(">hhih", api_key, 1, 7, 4) + b"shop" + body
    sock.sendall(struct.pack(">i", len(message)) + message)
    with sock.makefile("rb") as answers:
        (size,) = struct.unpack(">i", answers.read(4))
        return answers.read(size)[4:]


def fields_of(gateway: Served, event: str) -> dict[str, Any]:
    """Return what the only line about this event says, without whose it was."""
    lines = [json.loads(line) for line in gateway.log.splitlines()]
    (line,) = (each for each in lines if each["logger"] == "tidegate.audit" and each["event"] == event)
    fields: dict[str, Any] = line["fields"]
    del fields["peer"]
    return fields


def test_no_secret_is_in_any_line_and_every_line_is_an_object(tmp_path: Path):
    port = free_port()
    scram = make_scram("SCRAM-SHA-256", PASSWORD, os.urandom(16), 4096)
    scrypt = make_scrypt(PASSWORD, os.urandom(16))
    hashes = {"scram": {"SCRAM-SHA-256": scram.model_dump(mode="json")}, "scrypt": scrypt.model_dump(mode="json")}
    files, token = tmp_path / "resources.yaml", tmp_path / "token"
    files.write_text(resources(port, hashes))
    token.write_text(TOKEN)
    arguments: list[str | Path] = ["-f", files, "--api", "127.0.0.1:0", "--api-token-file", token]
    options = ["--metrics", "127.0.0.1:0", "--log-format", "json", "--verbose"]
    with served(tmp_path / "gateway", *arguments, *options, UPSTREAM_PASSWORD=UPSTREAM) as gateway:
        assert log_in(port, PASSWORD) == 0
        assert log_in(port, GUESS) == 58
        api = str(gateway.ready.api)
        with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            assert client.delete(f"{api}/v1/users/shop").status_code == 204
        assert httpx.delete(f"{api}/v1/faults", headers={"Authorization": f"Bearer {GUESS}"}).status_code == 401
        shown = httpx.get(str(gateway.ready.metrics)).text
        assert gateway.end() == 0
        assert fields_of(gateway, "authenticated") == {
            "listener": "internal", "principal": "User:shop", "mechanism": "PLAIN", "client_id": "shop"
        }  # fmt: skip
        assert fields_of(gateway, "authentication failed")["claimed"] == "shop"
        hidden = [*SECRETS, scram.salt, scram.stored_key, scram.server_key, scrypt.salt, scrypt.hash]
        for text in (gateway.log, shown):
            assert [each for each in hidden if each in text] == []
    samples = [sample for family in text_string_to_metric_families(shown) for sample in family.samples]
    counted = {each.labels["result"]: each.value for each in samples if each.name == "tidegate_authentications_total"}
    assert counted == {"accepted": 1, "refused": 1}


def test_workers_are_seen_as_one_and_their_lines_bear_their_numbers(tmp_path: Path):
    arguments = ["--to", NOBODY, "--listen", f"127.0.0.1:{free_port()}", "--metrics", "127.0.0.1:0"]
    with served(tmp_path, *arguments, "--workers", "2", "--log-format", "json") as gateway:
        metrics = str(gateway.ready.metrics)
        shown = text_string_to_metric_families(httpx.get(metrics).text)
        editions = next(each for each in shown if each.name == "tidegate_worker_edition")
        assert {each.labels["worker"]: each.value for each in editions.samples} == {"1": 1, "2": 1}
        assert httpx.get(metrics.replace("/metrics", "/livez")).status_code == 200
        not_ready = httpx.get(metrics.replace("/metrics", "/readyz"))
        assert not_ready.status_code == 503
        assert not_ready.json()["problems"][0].startswith("virtual cluster default: ")
        assert gateway.end() == 0
        lines = [json.loads(line) for line in gateway.log.splitlines()]
    assert {each.get("worker") for each in lines if "cannot be reached" in each["event"]} <= {1, 2}
    (announced,) = (each["event"] for each in lines if each["event"].startswith("metrics: "))
    assert announced == f"metrics: {metrics} (no token)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "everywhere"], "error: --metrics: expected HOST:PORT"),
        (["--log-format", "xml"], "'xml' is not one of"),
    ],
)
def test_wrong_options(options: list[str], message: str):
    ended = run("serve", "--to", NOBODY, "--listen", "127.0.0.1:19092", *options)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_a_taken_metrics_port_is_one_clear_message():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        listen = f"127.0.0.1:{free_port()}"
        ended = run("serve", "--to", NOBODY, "--listen", listen, "--metrics", f"127.0.0.1:{port}")
    assert ended.returncode == 1
    assert ended.stderr == f"error: the metrics port cannot listen on 127.0.0.1:{port}: Address already in use\n"
