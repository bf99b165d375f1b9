"""Both sides against real Kafka: our login at a broker, and unmodified clients at our conversation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from confluent_kafka import Consumer, KafkaException, Producer
from kafka import KafkaConsumer

from appliance.identity.errors import UpstreamRefused
from appliance.identity.keys import KeySets
from appliance.identity.policy import IdentityPolicy
from appliance.identity.upstream.login import Ask, LoggedIn
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.identity.issuer import OAUTH, URL, forged, jwks, token
from tests.identity.kafka_scene import Door, SaslBroker, connection, sasl_broker, wall_clock
from tests.identity.scene import ALL, PASSWORD, REFUSED, client, policy, user

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaslBroker]:
    with sasl_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


# -- our login at a broker


def unsecured_token() -> str:
    now = int(wall_clock())
    return forged({"alg": "none"}, {"sub": "alice", "iat": now, "exp": now + 3600, "scope": None, "aud": None})


@pytest.mark.parametrize("mechanism", [*ALL, "OAUTHBEARER"])
async def test_we_log_in_and_the_broker_answers_us(broker: SaslBroker, mechanism: str):
    secret = unsecured_token() if mechanism == "OAUTHBEARER" else PASSWORD
    async with connection(broker.sasl) as link:
        assert await link.log_in(client(mechanism, secret=secret)) == LoggedIn(600.0)
        answer = await link.ask(Ask(Api.METADATA, 4, encode(request_type(Api.METADATA, 4)(topics=()))))
        metadata: Any = decode(response_type(Api.METADATA, 4), answer)
        assert [each.port for each in metadata.brokers] == [broker.sasl]


@pytest.mark.parametrize("mechanism", ALL)
@pytest.mark.parametrize(("name", "secret"), [("alice", "horse correct"), ("mallory", PASSWORD)])
async def test_a_broker_refuses_what_is_wrong(broker: SaslBroker, mechanism: str, name: str, secret: str):
    async with connection(broker.sasl) as link:
        with pytest.raises(UpstreamRefused) as refused:
            await link.log_in(client(mechanism, name, secret))
    assert refused.value.code == REFUSED


async def test_we_log_in_again_on_the_same_connection(broker: SaslBroker):
    async with connection(broker.sasl) as link:
        await link.log_in(client("SCRAM-SHA-512"))
        assert await link.log_in(client("SCRAM-SHA-512")) == LoggedIn(600.0)


# -- unmodified clients at our conversation

USERS = [user(groups=["shop"])]


def librdkafka(broker: SaslBroker, mechanism: str, password: str = PASSWORD) -> dict[str, Any]:
    return {
        "bootstrap.servers": f"127.0.0.1:{broker.door}",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": "alice",
        "sasl.password": password,
        "log_level": 0,
    }


@pytest.mark.parametrize("mechanism", ALL)
async def test_librdkafka_comes_in(broker: SaslBroker, mechanism: str):
    door = Door(broker, policy(USERS, allow_without_tls=True))
    async with door.open():
        topics = await trio.to_thread.run_sync(lambda: Producer(librdkafka(broker, mechanism)).list_topics(timeout=60))
    assert topics.brokers[1].port == broker.door
    assert {str(each.principal) for each in door.accepted} == {"User:alice"}
    assert door.accepted[0].principal.mechanism == mechanism


@pytest.mark.parametrize("mechanism", ALL)
async def test_librdkafka_with_a_wrong_password_is_told_so(broker: SaslBroker, mechanism: str):
    door = Door(broker, policy(USERS, allow_without_tls=True))
    errors: list[Any] = []

    def ask() -> None:
        settings = {**librdkafka(broker, mechanism, "horse correct"), "group.id": "g", "error_cb": errors.append}
        consumer = Consumer(settings)
        with pytest.raises(KafkaException):
            consumer.list_topics(timeout=5)
        consumer.poll(0)
        consumer.close()

    async with door.open():
        await trio.to_thread.run_sync(ask)
    assert not door.accepted
    assert "_AUTHENTICATION" in {each.name() for each in errors}


@pytest.mark.parametrize("mechanism", ALL)
async def test_kafka_python_comes_in(broker: SaslBroker, mechanism: str):
    door = Door(broker, policy(USERS, allow_without_tls=True))

    def ask() -> set[str]:
        consumer = KafkaConsumer(
            bootstrap_servers=f"127.0.0.1:{broker.door}", security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism, sasl_plain_username="alice", sasl_plain_password=PASSWORD,
        )  # fmt: skip
        try:
            return set(consumer.topics())
        finally:
            consumer.close()

    async with door.open():
        await trio.to_thread.run_sync(ask)
    assert door.accepted
    assert not door.failed


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_java_comes_in_and_comes_again(broker: SaslBroker, mechanism: str):
    """The session lasts six seconds, so that a client of nine must authenticate again on its connections. Java does so
    when 85 to 95 % are over: what is left must be enough for a machine that is busy."""
    door = Door(broker, policy(USERS, allow_without_tls=True, session_lifetime="6s"))
    module = "plain.Plain" if mechanism == "PLAIN" else "scram.Scram"
    file = broker.folder / f"{mechanism}.properties"
    file.write_text(
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\n"
        f"sasl.jaas.config=org.apache.kafka.common.security.{module}LoginModule required "
        f'username="alice" password="{PASSWORD}";\n'
    )
    target = ("--bootstrap-server", f"127.0.0.1:{broker.door}", "--command-config", str(file))
    make = broker.java.command(
        "org.apache.kafka.tools.TopicCommand", *target, "--create", "--topic", f"java-{mechanism}"
    )
    load = broker.java.command(
        "org.apache.kafka.tools.ProducerPerformance", "--topic", f"java-{mechanism}", "--num-records", "90",
        "--throughput", "10", "--record-size", "10", "--command-config", str(file),
        "--bootstrap-server", f"127.0.0.1:{broker.door}",
    )  # fmt: skip
    async with door.open():
        for command in (make, load):
            done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
            assert done.returncode == 0, done.stdout.decode()
    assert not door.failed
    assert any(each.reauthenticated for each in door.accepted)


def token_policy() -> IdentityPolicy:
    """Take tokens of the issuer, whose keys are known."""
    key_sets = KeySets()
    key_sets.of(URL).load(jwks(), wall_clock())
    asked: dict[str, Any] = {"mechanisms": ["OAUTHBEARER"], "oauthbearer": OAUTH, "allow_without_tls": True}
    return policy([], key_sets=key_sets, **asked)


def fresh_token(**claims: Any) -> str:
    now = int(wall_clock())
    return token({"iat": now, "exp": now + 600, **claims})


@pytest.mark.parametrize("good", [True, False])
async def test_librdkafka_brings_a_token(broker: SaslBroker, good: bool):
    door = Door(broker, token_policy())
    bearer = fresh_token() if good else fresh_token(aud="other")
    settings = {
        "bootstrap.servers": f"127.0.0.1:{broker.door}",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": lambda _: (bearer, wall_clock() + 600),
        "log_level": 0,
    }

    def ask() -> bool:
        producer = Producer(settings)
        producer.poll(1)  # calls oauth_cb
        try:
            topics = producer.list_topics(timeout=60 if good else 3)
        except KafkaException:
            return False
        return bool(topics.brokers[1].port == broker.door)

    async with door.open():
        assert await trio.to_thread.run_sync(ask) is good
    assert bool(door.accepted) is good
    assert {each.reason for each in door.failed} == (set() if good else {"aud: expected one of kafka; found 'other'"})


@pytest.mark.parametrize("good", [True, False])
async def test_java_brings_a_token(broker: SaslBroker, good: bool):
    door = Door(broker, token_policy())
    folder = broker.folder
    (folder / "token").write_text(fresh_token() if good else fresh_token(aud="other"))
    url = (folder / "token").as_uri()
    (folder / "bearer.properties").write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n"
        "sasl.login.callback.handler.class="
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler\n"
        f"sasl.oauthbearer.token.endpoint.url={url}\n"
        "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;\n"
    )
    command = broker.java.command(
        "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", f"127.0.0.1:{broker.door}",
        "--command-config", str(folder / "bearer.properties"), "--list",
    )  # fmt: skip
    options = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}"
    async with door.open():
        done = await trio.run_process(
            command, capture_stdout=True, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "JDK_JAVA_OPTIONS": options},
        )  # fmt: skip
    assert (done.returncode == 0) is good, done.stdout.decode()
    assert bool(door.accepted) is good
    if not good:
        assert b"the token is not accepted" in done.stdout
