"""A gateway whose listener asks who comes, a scripted broker behind it, and clients that prove themselves."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trio

from appliance.chaos.faults import arm
from appliance.control.armoury import Armoury
from appliance.control.catalogue import Declared
from appliance.control.edition import Edition, Standing
from appliance.control.snapshots import SnapshotMaker
from appliance.gateway.channel import Channel, PlainChannel, receive_exactly, send_all
from appliance.gateway.feed import SnapshotFeed
from appliance.gateway.server import Gateway
from appliance.gateway.sockets import connect
from appliance.gateway.tls import TlsChannel, shake_hands
from appliance.identity.authority import Authority
from appliance.identity.upstream.login import Ask, LoggedIn, Login
from appliance.identity.upstream.mechanisms import sasl_client
from appliance.resources.cluster import Cluster
from appliance.resources.listener import Listener
from appliance.resources.user import User
from appliance.resources.virtual_cluster import VirtualCluster
from tests.gateway import messages
from tests.gateway.scene import PATIENCE
from tests.gateway.scripted_broker import ScriptedBroker
from tests.identity.scene import PASSWORD

HOST = "127.0.0.1"


class Files:
    """A CA and what it signed, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = Authority(datetime.now(UTC))
        self.ca = self._write("ca.pem", self._authority.identity.certificate_pem)
        self.new_server_certificate()

    def new_server_certificate(self, *hosts: str) -> bytes:
        """Write certificate and key of the server anew; return the certificate (DER)."""
        identity = self._authority.server([HOST, "localhost", *hosts])
        self.key = self._write("server.key", identity.key_pem)
        self.certificate = self._write("server.pem", identity.certificate_pem)
        return ssl.PEM_cert_to_DER_cert(identity.certificate_pem.decode())

    def client(self, name: str) -> tuple[str, str]:
        """Return certificate and key of a client."""
        identity = self._authority.client(name)
        return self._write(f"{name}.pem", identity.certificate_pem), self._write(f"{name}.key", identity.key_pem)

    def expired_client(self, name: str) -> tuple[str, str]:
        """Return certificate and key of a client whose time was over long ago, from the same authority."""
        earlier = copy(self._authority)
        earlier._now = datetime.now(UTC) - timedelta(days=800)
        identity = earlier.client(name)
        return self._write(f"{name}.pem", identity.certificate_pem), self._write(f"{name}.key", identity.key_pem)

    def tls(self, **more: Any) -> dict[str, Any]:
        """Return what a listener says of its TLS."""
        return {"certificate": self.certificate, "private_key": self.key, **more}

    def spoil(self) -> None:
        """Leave half of a certificate where the server's was."""
        self._write("server.pem", b"-----BEGIN CERTIFICATE-----")

    def _write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        beside = path.with_suffix(".new")
        beside.write_bytes(content)
        beside.replace(path)
        return str(path)


class Client:
    """A client without any library, over TCP or TLS."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._number = 0

    async def ask(self, api_key: int, api_version: int, body: bytes) -> bytes:
        """Send a request with header version 1 and return the body of the answer, which has header version 0."""
        self._number += 1
        message = api_key.to_bytes(2, "big") + api_version.to_bytes(2, "big") + self._number.to_bytes(4, "big")
        message += b"\0\6tester" + body
        await send_all(self.channel, [len(message).to_bytes(4, "big") + message])
        size = int.from_bytes(await receive_exactly(self.channel, 4), "big")
        frame = await receive_exactly(self.channel, size)
        assert int.from_bytes(frame[:4], "big") == self._number
        return frame[4:]

    async def log_in(
        self, mechanism: str = "SCRAM-SHA-256", username: str = "alice", password: str = PASSWORD
    ) -> float | None:
        """Prove who it is; return how long the session lasts. Raises UpstreamRefused, EOFError."""
        login = Login(sasl_client(mechanism, username=username, secret=password, entropy=os.urandom))
        step: Any = login.start()
        while not isinstance(step, LoggedIn):
            if isinstance(step, Ask):
                step = login.answered(await self.ask(step.api_key, step.api_version, step.body))
            else:
                step = login.resume(await trio.to_thread.run_sync(step.run))
        return step.session_lifetime

    async def refused(self) -> None:
        """Ask something of the cluster, and wait for the end in place of an answer."""
        with contextlib.suppress(EOFError, OSError):
            await self.ask(messages.LIST_GROUPS, 2, b"")
            raise AssertionError("the cluster had something to say")

    async def closed(self) -> None:
        """Wait for the end."""
        try:
            await receive_exactly(self.channel, 1)
        except (EOFError, OSError):
            return
        raise AssertionError("the gateway had something to say")


class Secured:
    """The running gateway; `declare` puts other users or other settings in force."""

    def __init__(self, gateway: Gateway, feed: SnapshotFeed, maker: SnapshotMaker, resources: list[Declared]) -> None:
        self.gateway = gateway
        self._feed = feed
        self._maker = maker
        self._resources = resources
        self._version = 1

    def declare(self, *changed: Declared) -> None:
        """Put these resources in the place of those of the same kind and name."""
        kept = [each for each in self._resources if (each.kind, each.name) not in {(c.kind, c.name) for c in changed}]
        self._resources = [*kept, *changed]
        self._version += 1
        self._feed.publish(self._maker.make(edition_of(self._version, self._resources)))


def edition_of(version: int, resources: Iterable[Declared]) -> Edition:
    """Return an edition in which the cluster `primary` serves `orders`."""
    return Edition(
        version=version, resources=tuple(resources), virtual_clusters={"orders": Standing(serving="primary")}
    )


def listener(base: int, name: str = "secured", **spec: Any) -> Listener:
    """Declare a listener on this port."""
    fields = {"bind": f"{HOST}:{base}", "virtual_cluster": "orders", **spec}
    return Listener.model_validate({"metadata": {"name": name}, "spec": fields})


def cluster(broker: ScriptedBroker | int, **spec: Any) -> Cluster:
    """Declare the cluster that a broker, or whatever is on this port, is."""
    port = broker if isinstance(broker, int) else broker.port
    return Cluster.model_validate({"metadata": {"name": "primary"}, "spec": {"bootstrap": [f"{HOST}:{port}"], **spec}})


@asynccontextmanager
async def gateway(behind: Cluster, *listeners: Listener, users: Iterable[User] = ()) -> AsyncIterator[Secured]:
    """Run a gateway in front of this cluster for the length of a block."""
    orders = VirtualCluster.model_validate({"metadata": {"name": "orders"}, "spec": {"cluster": "primary"}})
    resources: list[Declared] = [behind, orders, *listeners, *users]
    maker = SnapshotMaker(lambda _: (), Armoury(arm))
    feed = SnapshotFeed(maker.make(edition_of(1, resources)))
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            running = Gateway(feed)
            await nursery.start(running.serve)
            yield Secured(running, feed, maker, resources)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def client(
    port: int,
    *,
    ca: str | None = None,
    certificate: tuple[str, str] | None = None,
    host: str = HOST,
    first: bytes = b"",
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> AsyncIterator[Client]:
    """Connect, over TLS where `ca` says whom to trust, having sent `first` before anything else."""
    sock = await connect(HOST, port, seconds=PATIENCE)
    channel: Channel = PlainChannel(sock)
    try:
        if first:
            await send_all(channel, [first])
        if ca is not None:
            context = ssl.create_default_context(cafile=ca)
            context.maximum_version = newest
            if certificate is not None:
                context.load_cert_chain(*certificate)
            secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            channel = TlsChannel(secured)
            await shake_hands(secured)
        yield Client(channel)
    finally:
        channel.close()


async def serve_one(client: Client, broker: ScriptedBroker) -> None:
    """Fail unless a request of the client's goes to the broker and the answer comes back."""
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            conversation = await broker.accept()
            request = await conversation.expect_request()
            await conversation.stream.send_all(messages.response(request.correlation_id, b"groups", flexible=False))

        nursery.start_soon(answer)
        assert await client.ask(messages.LIST_GROUPS, 2, b"") == b"groups"


async def answer_for_ever(broker: ScriptedBroker) -> None:
    """Answer whatever comes on the next connection, until it ends."""
    conversation = await broker.accept()
    while (request := await conversation.next_request()) is not None:
        await conversation.stream.send_all(messages.response(request.correlation_id, b"groups", flexible=False))
