"""Tokens of a real Keycloak: at the gateway's door, and for the gateway itself at a broker that takes them too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import trio
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from appliance.identity.errors import UpstreamRefused
from tests.gateway.conftest import Trail
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import client, cluster, gateway, listener, serve_one
from tests.identity import scene
from tests.identity.kafka_scene import Issuer, SaslBroker, sasl_broker, wall_clock
from tests.identity.keycloak import SECRET, Keycloak, keycloak

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROLES = {"orders-readers", "orders-writers"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak(tmp_path_factory.mktemp("keycloak")) as running:
        yield running


@pytest.fixture(scope="module")
def broker(issuer: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaslBroker]:
    taken = Issuer(issuer.issuer, issuer.jwks_url, "kafka")
    with sasl_broker(tmp_path_factory.mktemp("broker"), taken) as running:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{running.plain}"})
        admin.create_topics([NewTopic("orders", 1)])["orders"].result(60)
        yield running


@pytest.fixture
def trail(caplog: pytest.LogCaptureFixture) -> Trail:
    caplog.set_level("INFO", "tidegate.audit")
    return Trail(caplog)


def asked(issuer: Keycloak) -> dict[str, Any]:
    """What a listener says of the tokens that are good."""
    return {
        "mechanisms": ["OAUTHBEARER"],
        "allow_without_tls": True,
        "oauthbearer": {
            "issuer": issuer.issuer,
            "audience": ["kafka"],
            "jwks_url": issuer.jwks_url,
            "clock_skew": "0s",
            "principal_claim": "azp",
            "groups_claim": "realm_access.roles",
            "required_claims": {"team": "payments"},
        },
    }


async def past_its_end(token: str) -> str:
    """Wait until a token has expired, by the clock that the gateway has too."""
    end = jwt.decode(token, options={"verify_signature": False})["exp"]
    await trio.sleep(max(0.0, end + 1 - wall_clock()))
    return token


async def test_a_service_account_comes_in_under_its_clients_name(issuer: Keycloak, trail: Trail):
    base = free_base()
    door = listener(base, authentication=asked(issuer))
    async with scripted_broker() as broker, gateway(cluster(broker), door), client(base) as shop:
        assert await shop.log_in("OAUTHBEARER", "", issuer.token("shop")) is not None, "as long as the token is good"
        await serve_one(shop, broker)
    (line,) = trail.lines
    assert line.startswith("authenticated: listener secured")
    assert "principal User:shop, mechanism OAUTHBEARER" in line


def test_its_roles_are_its_groups(issuer: Keycloak):
    said = {name: value for name, value in asked(issuer).items() if name != "mechanisms"}
    policy = scene.policy([], mechanisms=["OAUTHBEARER"], **said)
    shell = scene.Shell(policy, now=wall_clock(), fetch=lambda url: httpx.get(url).content)
    shell.log_in(scene.client("OAUTHBEARER", "", issuer.token("shop")))
    principal = shell.conversation.principal
    assert principal is not None
    assert (str(principal), set(principal.groups)) == ("User:shop", ROLES)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hasty", "exp: expected a token that is valid; found one that expired"),
        ("elsewhere", "aud: expected one of kafka; found ['another-service', 'account']"),
        ("teamless", "team: expected payments; found nothing"),
        ("forged", "signature"),
    ],
)
async def test_a_token_that_is_no_good_is_refused_and_the_trail_says_why(
    name: str, reason: str, issuer: Keycloak, trail: Trail
):
    base = free_base()
    token = issuer.token("shop" if name == "forged" else name)
    if name == "hasty":
        await past_its_end(token)
    if name == "forged":
        token = ".".join([*token.split(".")[:2], issuer.token("elsewhere").split(".")[2]])
    async with scripted_broker() as broker:
        door = listener(base, authentication=asked(issuer))
        async with gateway(cluster(broker), door), client(base) as one:
            with pytest.raises(UpstreamRefused) as refused:
                await one.log_in("OAUTHBEARER", "", token)
            assert refused.value.code == 58  # SASL_AUTHENTICATION_FAILED
            await one.closed()
        assert broker.arrived == 0
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured")
    assert reason in line
    assert token not in line


async def test_an_unmodified_client_and_the_gateway_itself_bring_tokens_of_one_issuer(
    issuer: Keycloak, broker: SaslBroker, tmp_path: Path, trail: Trail
):
    base = free_base()
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    own = {
        "token_endpoint": issuer.token_endpoint,
        "client_id": "tidegate",
        "client_secret": {"file": str(secret)},
    }
    door = listener(base, authentication=asked(issuer))
    shop = {
        "bootstrap.servers": f"127.0.0.1:{base}",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "shop",
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.token.endpoint.url": issuer.token_endpoint,
        "log_level": 0,
    }
    behind = cluster(broker.sasl, authentication={"oauthbearer": own, "allow_without_tls": True})
    async with gateway(behind, door):
        values = await trio.to_thread.run_sync(_round_trip, shop)
    assert values == [b"0", b"1", b"2"]
    assert trail.lines
    assert all("principal User:shop, mechanism OAUTHBEARER" in line for line in trail.lines)


def _round_trip(settings: dict[str, Any]) -> list[bytes]:
    producer = Producer(settings)
    for number in range(3):
        producer.produce("orders", str(number).encode())
    assert producer.flush(60) == 0
    consumer = Consumer({**settings, "group.id": "readers", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    try:
        return [message.value() or b"" for message in consumer.consume(3, 60)]
    finally:
        consumer.close()
