"""Secrets where they lie, in files, the environment and a real OpenBao; and logins with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from appliance.gateway.errors import SecretUnavailable, SecretWithheld
from appliance.gateway.secrets import Secrets
from appliance.resources.secret import SecretRef
from tests.gateway import messages
from tests.gateway.conftest import Log
from tests.gateway.openbao import TOKEN, OpenBao, open_openbao
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import answer_for_ever, client, cluster, gateway, listener, serve_one
from tests.identity.scene import PASSWORD, user

ASKED: dict[str, Any] = {"mechanisms": ["SCRAM-SHA-512"]}
KAFKA = "secret/data/kafka"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def openbao(tmp_path: Path) -> AsyncIterator[OpenBao]:
    async with open_openbao(tmp_path) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(clock: Clock) -> Secrets:
    return Secrets(clock)


async def test_a_file_and_a_variable_are_read_anew_each_time(
    secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "secret"
    for text in ("first", "second"):
        file.write_text(f"{text}\n")
        monkeypatch.setenv("KAFKA_PASSWORD", text)
        assert await secrets.resolve(SecretRef(file=str(file))) == text
        assert await secrets.resolve(SecretRef(env="KAFKA_PASSWORD")) == text


async def test_an_empty_or_absent_one_is_said_by_its_place(secrets: Secrets, tmp_path: Path):
    (tmp_path / "empty").touch()
    for ref, why in (
        (SecretRef(file=str(tmp_path / "absent")), "absent: No such file"),
        (SecretRef(file=str(tmp_path / "empty")), "expected a secret, found nothing"),
        (SecretRef(env="TIDEGATE_HAS_NO_SUCH_VARIABLE"), "TIDEGATE_HAS_NO_SUCH_VARIABLE"),
    ):
        with pytest.raises(SecretUnavailable, match=why):
            await secrets.resolve(ref)


async def test_both_versions_of_the_key_value_engine_are_read(openbao: OpenBao, secrets: Secrets):
    await openbao.keep("kafka/orders", password="from the second")
    await openbao.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    await openbao.call("POST", "old/kafka", {"password": "from the first"})
    assert await secrets.resolve(openbao.secret("secret/data/kafka/orders")) == "from the second"
    assert await secrets.resolve(openbao.secret("old/kafka")) == "from the first"


async def test_a_rotated_secret_holds_when_the_kept_one_is_old(openbao: OpenBao, secrets: Secrets, clock: Clock):
    await openbao.keep("kafka", password="old")
    assert await secrets.resolve(openbao.secret(KAFKA)) == "old"
    await openbao.keep("kafka", password="new")
    clock.now = 29.0
    assert await secrets.resolve(openbao.secret(KAFKA)) == "old", "a storm of clients asks once"
    clock.now = 31.0
    assert await secrets.resolve(openbao.secret(KAFKA)) == "new"


async def test_a_rotated_secret_holds_at_once_where_a_cluster_refuses_the_kept_one(
    openbao: OpenBao, secrets: Secrets, clock: Clock
):
    ref = openbao.secret(KAFKA)
    await openbao.keep("kafka", password="old")
    assert await secrets.resolve(ref) == "old"
    await openbao.keep("kafka", password="new")
    secrets.doubt(ref)
    assert await secrets.resolve(ref) == "old", "it has only just been read: the store is not asked over and over"
    clock.now = 2.0
    secrets.doubt(ref)
    assert await secrets.resolve(ref) == "new"


async def test_while_the_store_is_down_or_sealed_what_was_read_is_used_on(
    openbao: OpenBao, secrets: Secrets, clock: Clock, log: Log
):
    ref = openbao.secret(KAFKA)
    await openbao.keep("kafka", password="kept")
    assert await secrets.resolve(ref) == "kept"
    await openbao.call("PUT", "sys/seal")
    clock.now = 60.0
    assert await secrets.resolve(ref) == "kept"
    assert "expected the secret, found HTTP 503; the value read before is used on" in log.lines[0]
    openbao.end()
    clock.now = 120.0
    assert await secrets.resolve(ref) == "kept"
    assert "no answer (ConnectError); the value read before is used on" in log.lines[1]
    assert not any("kept" in line for line in log.lines)


async def test_what_was_never_read_is_not_to_be_had_while_the_store_is_down(openbao: OpenBao, secrets: Secrets):
    openbao.end()
    with pytest.raises(SecretUnavailable, match=r"OpenBao http://127.0.0.1:\d+, secret/data/kafka: no answer"):
        await secrets.resolve(openbao.secret(KAFKA))


@pytest.mark.parametrize("taken", ["deleted", "another field", "token revoked"])
async def test_what_the_store_withholds_is_not_used_on(taken: str, openbao: OpenBao, secrets: Secrets, clock: Clock):
    ref = openbao.secret(KAFKA)
    await openbao.keep("kafka", password="kept")
    assert await secrets.resolve(ref) == "kept"
    match taken:
        case "deleted":
            await openbao.call("DELETE", KAFKA)
        case "another field":
            await openbao.keep("kafka", passphrase="kept")
        case _:
            openbao.token_file.write_text("a token that is no good")
    clock.now = 60.0
    with pytest.raises(SecretWithheld, match="secret/data/kafka: expected the") as withheld:
        await secrets.resolve(ref)
    assert TOKEN not in str(withheld.value)
    openbao.end()
    with pytest.raises(SecretUnavailable, match="no answer"):
        await secrets.resolve(ref)


# -- logins with them


async def test_the_gateway_logs_in_with_what_the_store_has_and_takes_a_new_password_without_a_restart(
    openbao: OpenBao, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
):
    monkeypatch.setattr("appliance.gateway.secrets._DOUBTED_SECONDS", 0.0)
    outer, inner = free_base(), free_base()
    await openbao.keep("kafka", password=PASSWORD)
    behind = cluster(inner, authentication={"scram": {"username": "alice", "password": openbao.ref(KAFKA)}})
    async with (
        scripted_broker() as broker,
        gateway(cluster(broker), listener(inner, authentication=ASKED), users=[user()]) as there,
        gateway(behind, listener(outer, authentication={"anonymous": True})),
        client(outer) as before,
    ):
        nursery.start_soon(answer_for_ever, broker)
        assert await before.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
        await openbao.keep("kafka", password="another password")
        there.declare(user(password="another password"))
        async with client(outer) as turned_away:
            await turned_away.refused()
        async with client(outer) as after:
            await serve_one(after, broker)
        assert await before.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
        nursery.cancel_scope.cancel()


async def test_without_the_store_nobody_gets_in_whose_secret_was_never_read_and_others_go_on(
    openbao: OpenBao, log: Log, nursery: trio.Nursery
):
    outer, inner = free_base(), free_base()
    passwords = {name: f"the password of {name} upstream" for name in ("alice", "bob", "tidegate")}
    for name, password in passwords.items():
        await openbao.keep(f"kafka/{name}", password=password)
    mapping = {"mechanism": "SCRAM-SHA-512", "others": {"password": openbao.ref(KAFKA + "/{principal}")}}
    there = [user(name, password) for name, password in passwords.items()]
    async with (
        scripted_broker() as broker,
        gateway(cluster(broker), listener(inner, authentication=ASKED), users=there),
        gateway(
            cluster(inner, authentication={"per_principal": mapping}),
            listener(outer, authentication=ASKED),
            users=[user(), user("bob")],
        ),
        client(outer) as alice,
    ):
        await alice.log_in("SCRAM-SHA-512")
        nursery.start_soon(answer_for_ever, broker)
        assert await alice.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
        openbao.end()
        async with client(outer) as bob:
            await bob.log_in("SCRAM-SHA-512", "bob")
            await bob.refused()
        assert await alice.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
        async with client(outer) as again:
            await again.log_in("SCRAM-SHA-512")
            await serve_one(again, broker)
        nursery.cancel_scope.cancel()
    assert any("cluster primary: OpenBao http://" in line and "kafka/bob: no answer" in line for line in log.lines)
    assert not any("upstream" in line or TOKEN in line for line in log.lines)
