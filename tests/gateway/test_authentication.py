"""Who is not known gets nowhere: not a byte of theirs goes upstream, and one line in the audit trail says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from kio.schema.api_versions.v3.request import ApiVersionsRequest

from appliance.gateway.clientele import Clientele, ClientKind
from appliance.identity import conversation
from appliance.identity.errors import UpstreamRefused
from appliance.resources.listener import Listener
from tests.gateway import messages
from tests.gateway.conftest import Log, Trail
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import Client, Files, answer_for_ever, client, cluster, gateway, listener, serve_one
from tests.identity.scene import user

SASL: dict[str, Any] = {"mechanisms": ["SCRAM-SHA-256", "PLAIN"], "allow_without_tls": True}


def secured(base: int, asked: dict[str, Any] = SASL, **spec: Any) -> Listener:
    return listener(base, authentication=asked, **spec)


async def ask_for_ever(client: Client) -> None:
    while True:
        assert await client.ask(messages.LIST_GROUPS, 2, b"") == b"groups"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
async def test_whoever_proves_it_is_served(mechanism: str, trail: Trail):
    base = free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), secured(base), users=[user()]):
        async with client(base) as alice:
            await alice.log_in(mechanism)
            await serve_one(alice, broker)
    (line,) = trail.lines
    assert line.startswith("authenticated: listener secured, peer 127.0.0.1:")
    assert f"principal User:alice, mechanism {mechanism}" in line


async def test_what_a_client_said_of_itself_before_it_logged_in_is_known_afterwards():
    base = free_base()
    said = messages.bytes_of(ApiVersionsRequest(client_software_name="librdkafka", client_software_version="2.16.0"))
    async with scripted_broker() as broker, gateway(cluster(broker), secured(base), users=[user()]) as here:
        async with client(base) as alice:
            await alice.ask(messages.API_VERSIONS, 3, b"\0" + said)
            await alice.log_in()
            await serve_one(alice, broker)
            assert here.gateway.facts().clients == {ClientKind("orders", "librdkafka", "2.16.0"): Clientele(1)}


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
@pytest.mark.parametrize("name", ["alice", "mallory"])
async def test_a_wrong_password_is_refused_as_a_broker_does(mechanism: str, name: str, trail: Trail):
    base = free_base()
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), secured(base), users=[user()]), client(base) as guesser:
            with pytest.raises(UpstreamRefused) as refused:
                await guesser.log_in(mechanism, name, "a wild guess")
            assert refused.value.code == 58  # SASL_AUTHENTICATION_FAILED
            await guesser.closed()
        assert broker.arrived == 0
    (line,) = trail.lines
    assert line.startswith("authentication failed")
    assert f"claimed {name}" in line
    assert "a wild guess" not in line


async def test_nothing_goes_upstream_before_that(log: Log):
    base = free_base()
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), secured(base), users=[user()]):
            async with client(base, first=messages.produce(1)) as hasty:
                await hasty.closed()
        assert broker.arrived == 0
    assert "expected the client to authenticate first, found Produce" in log.only_line


async def test_versions_are_told_to_whoever_asks_in_what_the_cluster_speaks():
    base = free_base()
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), secured(base), users=[user()]), client(base) as one:
            offered = messages.versions_in(await one.ask(messages.API_VERSIONS, 0, b""))
            assert offered[messages.METADATA] == (0, 9)
            assert offered[17] == (0, 1)
            assert offered[36] == (0, 2)
            await one.log_in()
        assert broker.arrived == 0


async def test_a_user_who_is_shut_out_is_sent_away(trail: Trail):
    base = free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), secured(base), users=[user()]) as here:
        async with client(base) as alice, client(base) as other:
            await alice.log_in()
            await serve_one(alice, broker)
            here.declare(user(enabled=False))
            await alice.closed()
            with pytest.raises(UpstreamRefused):
                await other.log_in()
    assert "sent away" in trail.lines[1]
    assert "User:alice is disabled" in trail.lines[1]


async def test_a_session_goes_on_when_the_client_authenticates_again_and_ends_when_not(
    monkeypatch: pytest.MonkeyPatch, log: Log, trail: Trail, nursery: trio.Nursery
):
    monkeypatch.setattr(conversation, "MIN_REAUTHENTICATION", 0.0)
    base = free_base()
    asked = {**SASL, "session_lifetime": "400ms"}
    async with scripted_broker() as broker, gateway(cluster(broker), secured(base, asked), users=[user()]):
        nursery.start_soon(answer_for_ever, broker)
        async with client(base) as alice:
            lifetime = await alice.log_in()
            assert lifetime == pytest.approx(0.4, abs=0.01)
            assert await alice.ask(messages.LIST_GROUPS, 2, b"") == b"groups"
            assert await alice.log_in() is not None
            with pytest.raises((EOFError, OSError)):
                await ask_for_ever(alice)
        nursery.cancel_scope.cancel()
    assert "the session is over and the client did not authenticate again (KIP-368)" in log.only_line
    assert [line.partition(":")[0] for line in trail.lines] == ["authenticated", "reauthenticated"]


async def test_nobody_becomes_somebody_else_on_a_connection(monkeypatch: pytest.MonkeyPatch, trail: Trail):
    monkeypatch.setattr(conversation, "MIN_REAUTHENTICATION", 0.0)
    base = free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), secured(base), users=[user(), user("bob")]):
        async with client(base) as one:
            await one.log_in()
            with pytest.raises(UpstreamRefused, match="Cannot change principals"):
                await one.log_in(username="bob")
            await one.closed()
    assert "from User:alice to User:bob" in trail.lines[1]


async def test_certificates_speak_for_clients_where_that_is_declared(tmp_path: Path, trail: Trail):
    files, base = Files(tmp_path), free_base()
    tls = files.tls(
        client_ca=files.ca, client_auth="required", principal_mapping_rules=["RULE:^CN=(.*?),.*$/$1/L", "DEFAULT"]
    )
    asked = listener(base, tls=tls, authentication={"certificate": True})
    async with scripted_broker() as broker, gateway(cluster(broker), asked):
        async with client(base, ca=files.ca, certificate=files.client("Shop")) as shop:
            await serve_one(shop, broker)
        async with client(base, ca=files.ca) as nobody:
            await nobody.closed()  # with TLS 1.3 the client hears of it only now
        assert broker.arrived == 1
    assert "principal User:shop, mechanism TLS" in trail.lines[0]


async def test_the_client_is_whom_the_load_balancer_names(trail: Trail):
    base = free_base()
    asked = listener(base, authentication=SASL, proxy_protocol="required")
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user()]):
        async with client(base, first=b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 9092\r\n") as alice:
            await alice.log_in()
            await serve_one(alice, broker)
    assert "peer 192.0.2.7:4711" in trail.lines[0]


async def test_whoever_takes_too_long_is_not_waited_for(log: Log):
    base = free_base()
    asked = listener(base, authentication=SASL, limits={"unauthenticated": "50ms"})
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user()]), client(base) as silent:
        await silent.closed()
    assert "the client was not known after 0.05 s (limits.unauthenticated)" in log.only_line


async def test_one_principal_cannot_take_all_connections(log: Log):
    base = free_base()
    asked = listener(base, authentication=SASL, limits={"connections_per_principal": 1})
    async with scripted_broker() as broker, gateway(cluster(broker), asked, users=[user(), user("bob")]):
        async with client(base) as first, client(base) as second, client(base) as bob:
            await first.log_in()
            await serve_one(first, broker)
            await second.log_in()
            await second.closed()
            assert "more than 1 connections of User:alice" in log.only_line
            await bob.log_in(username="bob")
            await serve_one(bob, broker)
