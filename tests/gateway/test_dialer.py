"""The gateway towards its clusters: over TLS, logged in, and staying so.

What stands for the cluster is another gateway, whose listener asks who comes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.gateway import renewal
from appliance.gateway.credentials import Credentials
from appliance.identity import conversation
from tests.gateway import messages
from tests.gateway.conftest import Log, Trail
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import Files, answer_for_ever, client, cluster, gateway, listener, serve_one
from tests.identity.scene import PASSWORD, user

SCRAM: dict[str, Any] = {"mechanisms": ["SCRAM-SHA-512", "PLAIN"], "allow_without_tls": True}


class Password:
    """A secret in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.becomes(PASSWORD)

    def becomes(self, text: str) -> None:
        self._path.write_text(text + "\n")

    @property
    def of_alice(self) -> dict[str, Any]:
        return {"username": "alice", "password": {"file": str(self._path)}}


@pytest.fixture
def password(tmp_path: Path) -> Password:
    return Password(tmp_path / "password")


async def test_it_goes_over_tls_and_proves_itself(password: Password, tmp_path: Path):
    files, outer, inner = Files(tmp_path), free_base(), free_base()
    asked = listener(inner, tls=files.tls(), authentication=SCRAM)
    behind = cluster(inner, tls={"ca": files.ca}, authentication={"scram": password.of_alice})
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user()]):
        async with gateway(behind, listener(outer)), client(outer) as one:
            # A listener that says nothing leaves it to the client to prove itself.
            await one.log_in("SCRAM-SHA-512")
            await serve_one(one, broker)
        async with gateway(behind, listener(outer, authentication={"anonymous": True})), client(outer) as one:
            await serve_one(one, broker)


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(password: Password, tmp_path: Path, log: Log):
    files, outer, inner = Files(tmp_path), free_base(), free_base()
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    behind = cluster(inner, tls={"ca": Files(stranger).ca}, authentication={"scram": password.of_alice})
    async with scripted_broker() as broker, gateway(cluster(broker), listener(inner, tls=files.tls())):
        async with gateway(behind, listener(outer, authentication={"anonymous": True})), client(outer) as one:
            await one.closed()
    assert any("cluster primary" in line and "certificate" in line for line in log.lines)


async def test_a_wrong_password_is_told_without_the_password(password: Password, log: Log):
    password.becomes("not the right one")
    outer, inner = free_base(), free_base()
    behind = cluster(inner, authentication={"scram": password.of_alice})
    async with (
        scripted_broker() as broker,
        gateway(cluster(broker), listener(inner, authentication=SCRAM), users=[user()]),
    ):
        async with gateway(behind, listener(outer, authentication={"anonymous": True})), client(outer) as one:
            await one.closed()
    assert any("the cluster refused the login by SCRAM-SHA-512" in line for line in log.lines)
    assert not any("not the right one" in line for line in log.lines)


async def test_a_new_password_holds_from_the_next_connection_on(password: Password):
    outer, inner = free_base(), free_base()
    behind = cluster(inner, authentication={"scram": password.of_alice})
    entrance = listener(outer, authentication={"anonymous": True})
    asked = listener(inner, authentication=SCRAM)
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user()]) as there:
        async with gateway(behind, entrance):
            async with client(outer) as before:
                await serve_one(before, broker)
                password.becomes("another password")
                there.declare(user(password="another password"))
                async with client(outer) as after:
                    await serve_one(after, broker)


async def test_every_principal_has_credentials_of_its_own(tmp_path: Path, log: Log):
    Password(tmp_path / "alice").becomes("the password of alice upstream")
    Password(tmp_path / "tidegate").becomes("the gateway's own")
    outer, inner = free_base(), free_base()
    mapping = {"mechanism": "SCRAM-SHA-512", "others": {"password": {"file": str(tmp_path / "{principal}")}}}
    behind = cluster(inner, authentication={"per_principal": mapping})
    there = [user("alice", "the password of alice upstream"), user("tidegate", "the gateway's own")]
    async with (
        scripted_broker() as broker,
        gateway(cluster(broker), listener(inner, authentication=SCRAM), users=there),
    ):
        async with gateway(behind, listener(outer, authentication=SCRAM), users=[user(), user("bob")]):
            async with client(outer) as alice, client(outer) as bob:
                await alice.log_in("SCRAM-SHA-512")
                await serve_one(alice, broker)
                await bob.log_in("SCRAM-SHA-512", "bob")
                await bob.refused()
    assert any("bob" in line and "No such file" in line for line in log.lines)


async def test_no_request_waits_for_the_credentials_of_another_login(
    password: Password, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
):
    monkeypatch.setattr(renewal, "_SHARE", 0.001)
    read, slow, asked, there = Credentials.client, trio.Event(), trio.Event(), trio.Event()

    async def read_slowly(self: Credentials, *of: Any) -> Any:
        if slow.is_set():
            asked.set()
            await there.wait()
        return await read(self, *of)

    monkeypatch.setattr(Credentials, "client", read_slowly)
    outer, inner = free_base(), free_base()
    short = listener(inner, authentication={**SCRAM, "session_lifetime": "100s"})
    behind = cluster(inner, authentication={"scram": password.of_alice})
    async with scripted_broker() as broker, gateway(cluster(broker), short, users=[user()]):
        async with gateway(behind, listener(outer, authentication={"anonymous": True})), client(outer) as one:
            nursery.start_soon(answer_for_ever, broker)
            assert await one.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
            slow.set()
            await asked.wait()
            assert await one.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
            there.set()
        nursery.cancel_scope.cancel()


async def test_it_logs_in_again_before_the_cluster_ends_the_session(
    password: Password, monkeypatch: pytest.MonkeyPatch, log: Log, trail: Trail, nursery: trio.Nursery
):
    monkeypatch.setattr(conversation, "MIN_REAUTHENTICATION", 0.0)
    outer, inner = free_base(), free_base()
    asked = listener(inner, authentication={**SCRAM, "session_lifetime": "500ms"})
    behind = cluster(inner, authentication={"scram": password.of_alice})
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user()]):
        async with gateway(behind, listener(outer, authentication={"anonymous": True})), client(outer) as one:
            nursery.start_soon(answer_for_ever, broker)
            while sum(line.startswith("reauthenticated") for line in trail.lines) < 4:
                assert await one.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
        nursery.cancel_scope.cancel()
    assert log.lines == []
