"""A real broker that asks for SASL, and a door before it where the gateway's conversation asks instead."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from appliance.identity.conversation import Conversation
from appliance.identity.policy import IdentityPolicy
from appliance.identity.replies import SASL_AUTHENTICATE
from appliance.identity.steps import Accepted, Failed, Reply, WantKeys, Work
from appliance.identity.throttle import Throttle
from appliance.identity.upstream.login import Ask, LoggedIn, Login
from appliance.identity.upstream.sasl_client import SaslClient
from appliance.lab.jarlock import read_lock
from appliance.lab.jars import obtain_jars
from appliance.lab.java import Java
from appliance.lab.kafka_settings import broker_properties, lay_out, render
from appliance.lab.plans import ClusterPlan
from appliance.lab.ports import PortLeases
from appliance.lab.storage import format_storage
from appliance.wire.apis import Api
from appliance.wire.headers import request_frame, response_frame
from tests.identity.scene import PASSWORD

READY_SECONDS = 120
JAAS = {
    "plain": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="{PASSWORD}";',
    "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "oauthbearer": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker";',
}
"""The broker's users and modules. Its OAUTHBEARER is the unsecured one, for development, that comes with Kafka."""


@dataclass(frozen=True)
class SaslBroker:
    """One broker with three listeners: without authentication, with SASL, and one whose clients come by our door."""

    plain: int
    sasl: int
    behind_door: int
    door: int
    """The port that clients of `behind_door` are told: where the test opens its door."""
    java: Java
    folder: Path


@dataclass(frozen=True)
class Issuer:
    """Whose tokens a broker is to take, checked by the validator that production uses."""

    issuer: str
    jwks_url: str
    audience: str

    @property
    def settings(self) -> dict[str, str]:
        """What the broker is told of it."""
        prefix, package = "listener.name.sasl.oauthbearer", "org.apache.kafka.common.security.oauthbearer"
        return {
            f"{prefix}.sasl.jaas.config": f"{package}.OAuthBearerLoginModule required;",
            f"{prefix}.sasl.server.callback.handler.class": f"{package}.OAuthBearerValidatorCallbackHandler",
            "sasl.oauthbearer.jwks.endpoint.url": self.jwks_url,
            "sasl.oauthbearer.expected.audience": self.audience,
            "sasl.oauthbearer.expected.issuer": self.issuer,
        }


@contextmanager
def sasl_broker(folder: Path, issuer: Issuer | None = None) -> Iterator[SaslBroker]:
    """Run a broker whose SASL users have the password of the scene, and sessions of ten minutes.

    Tokens need no signature where no issuer is given.
    """
    java = Java(obtain_jars(read_lock(), lambda _: None))
    with PortLeases() as ports:
        plan = ClusterPlan("sasl")
        places = lay_out(plan, ports.take)
        broker = SaslBroker(places[1].broker, ports.take(), ports.take(), ports.take(), java, folder)
        own = broker_properties(plan, places, 1, str(folder / "data"))
        listeners = f",SASL://127.0.0.1:{broker.sasl},DOOR://127.0.0.1:"
        settings = {
            **own,
            "listeners": f"{own['listeners']}{listeners}{broker.behind_door}",
            "advertised.listeners": f"{own['advertised.listeners']}{listeners}{broker.door}",
            "listener.security.protocol.map": (
                f"{own['listener.security.protocol.map']},SASL:SASL_PLAINTEXT,DOOR:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": ",".join(JAAS).upper(),
            "connections.max.reauth.ms": "600000",
            **{f"listener.name.sasl.{mechanism}.sasl.jaas.config": module for mechanism, module in JAAS.items()},
            **(issuer.settings if issuer else {}),
        }
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.jwks_url}" if issuer else ""
        file, log = folder / "1.properties", folder / "1.log"
        file.write_text(render(settings))
        trio.run(format_storage, java, {file: settings}, folder / "format.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                java.command("kafka.Kafka", str(file)),
                stdout=output,
                stderr=output,
                env={**os.environ, "JDK_JAVA_OPTIONS": allowed},
            )
        try:
            _make_users(AdminClient({"bootstrap.servers": f"127.0.0.1:{broker.plain}", "log_level": 0}))
            yield broker
        finally:
            process.kill()
            process.wait()


def _make_users(admin: AdminClient) -> None:
    """Wait for the broker, and give alice SCRAM credentials as Kafka makes them."""
    admin.list_topics(timeout=READY_SECONDS)
    scram: Any = kafka_admin  # its SCRAM classes are not in its annotations
    for mechanism in (scram.ScramMechanism.SCRAM_SHA_256, scram.ScramMechanism.SCRAM_SHA_512):
        credential = scram.ScramCredentialInfo(mechanism, 4096)
        upsertion = scram.UserScramCredentialUpsertion("alice", credential, PASSWORD.encode())
        for future in scram.AdminClient.alter_user_scram_credentials(admin, [upsertion]).values():
            future.result(READY_SECONDS)


# -- the gateway's side towards the broker


class Connection:
    """A connection to a broker on which one request is asked at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._frames = Frames(stream)

    async def log_in(self, client: SaslClient) -> LoggedIn:
        """Do what a Login says. Raises UpstreamRefused."""
        login = Login(client)
        step: Any = login.start()
        while not isinstance(step, LoggedIn):
            if isinstance(step, Work):
                step = login.resume(await trio.to_thread.run_sync(step.run))
            else:
                step = login.answered(await self.ask(step))
        return step

    async def ask(self, request: Ask) -> bytes:
        """Send a request and return the answer's body."""
        await self._stream.send_all(request_frame(request.api_key, request.api_version, 7, "gateway", request.body))
        answer = await self._frames.next()
        assert answer is not None, "the broker closed"
        return answer[4:]


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    """Connect to a broker."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        yield Connection(stream)


# -- the gateway's side towards clients


@dataclass
class Door:
    """Lets those through to the broker whom the conversation has accepted."""

    broker: SaslBroker
    policy: IdentityPolicy
    accepted: list[Accepted] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Accept on the door's port until the block ends."""
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, self._serve, self.broker.door)
            yield
            nursery.cancel_scope.cancel()

    async def _serve(self, client: trio.SocketStream) -> None:
        conversation = Conversation(lambda: self.policy, entropy=os.urandom, throttle=Throttle(), address="127.0.0.1")
        async with (
            client,
            await trio.open_tcp_stream("127.0.0.1", self.broker.behind_door) as upstream,
            trio.open_nursery() as nursery,
        ):
            sending = trio.Lock()  # a send lasts until its task runs again, when the client may have asked again
            nursery.start_soon(_pump, upstream, client, sending)
            with suppress(trio.BrokenResourceError):  # clients of tests close in many ways
                await self._requests(conversation, client, upstream, sending)
            nursery.cancel_scope.cancel()

    async def _requests(
        self, conversation: Conversation, client: trio.SocketStream, upstream: trio.SocketStream, sending: trio.Lock
    ) -> None:
        reader = Frames(client)
        while (frame := await reader.next()) is not None:
            api_key = int.from_bytes(frame[:2], "big")
            if not conversation.bare_tokens and api_key not in {Api.SASL_HANDSHAKE, SASL_AUTHENTICATE}:
                if conversation.principal is None and api_key != Api.API_VERSIONS:
                    return
                await upstream.send_all(len(frame).to_bytes(4, "big") + frame)
            elif not await self._converse(conversation, client, frame, sending):
                return

    async def _converse(
        self, conversation: Conversation, client: trio.SocketStream, frame: bytes, sending: trio.Lock
    ) -> bool:
        """Hand one frame to the conversation; return whether the connection goes on."""
        bare, now = conversation.bare_tokens, wall_clock()
        api_key, api_version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
        if bare:
            step = conversation.token(frame, now)
        else:
            tags = api_key == SASL_AUTHENTICATE and api_version >= 2
            step = conversation.request(
                api_key, api_version, frame[10 + int.from_bytes(frame[8:10], "big") + tags :], now
            )
        while isinstance(step, Work | WantKeys):
            assert isinstance(step, Work)
            step = conversation.resume(now, await trio.to_thread.run_sync(step.run))
        if isinstance(step, Accepted):
            self.accepted.append(step)
        elif isinstance(step, Failed):
            self.failed.append(step)
            await trio.sleep(step.hold)
        if step.body is not None:
            correlation = int.from_bytes(frame[4:8], "big")
            answer = len(step.body).to_bytes(4, "big") + step.body
            async with sending:
                await client.send_all(answer if bare else response_frame(api_key, api_version, correlation, step.body))
        return not (isinstance(step, Reply | Failed) and step.close)


def wall_clock() -> float:
    """Return the time by which real clients and issuers make tokens."""
    return time.time_ns() / 10**9


class Frames:
    """Reads whole frames, without their size."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """Return the next frame; None where the other side has ended."""
        buffer = self._buffer
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4], "big"):
            piece = await self._stream.receive_some()
            if not piece:
                return None
            buffer += piece
        size = 4 + int.from_bytes(buffer[:4], "big")
        frame = bytes(buffer[4:size])
        del buffer[:size]
        return frame


async def _pump(source: trio.SocketStream, sink: trio.SocketStream, sending: trio.Lock) -> None:
    with suppress(trio.BrokenResourceError):
        async for piece in source:
            async with sending:
                await sink.send_all(piece)
