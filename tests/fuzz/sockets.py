"""The same over sockets: a gateway as users start it, hostile clients before it and a hostile broker behind it.

Three listeners: a plain one, one behind a load balancer that sends PROXY headers, and one whose clients must prove who
they are. None of these can, so their broker must never hear a byte of what they say.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
import trio

from appliance.wire.apis import known_versions, response_header_version
from tests.fuzz import corpus
from tests.fuzz.campaign import resident
from tests.fuzz.findings import Finding, Findings
from tests.fuzz.mutation import damaged
from tests.gateway import messages
from tests.gateway.scene import free_base

CLIENTS = 8
"""At once."""
PATIENCE = 20.0
"""Seconds after which a connection hangs on which both sides have said everything; far more than any takes."""
READY = 60.0
MOST_GROWTH = 48.0
"""MB of 2**20 bytes: frames up to the limit are held whole for a moment, and the allocator keeps some."""
_ROUND = 400
"""Connections between two looks at the gateway's health."""
_LARGEST = 1 << 20
"""The broker reads no larger request: it would be waiting for bytes that nobody sends."""


@dataclass
class Summary:
    frames: int = 0
    connections: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)
    """MB of 2**20 bytes: after the first round, and at the end."""
    left: int = 0
    """Connections that the gateway holds when everybody has gone."""


RESOURCES = """
apiVersion: tidegate/v1
kind: Cluster
metadata: {{name: {name}}}
spec: {{bootstrap: ["127.0.0.1:{broker}"]}}
---
apiVersion: tidegate/v1
kind: VirtualCluster
metadata: {{name: {name}}}
spec: {{cluster: {name}}}
"""
LISTENER = """
---
apiVersion: tidegate/v1
kind: Listener
metadata: {{name: {name}}}
spec: {{bind: "127.0.0.1:{port}", virtual_cluster: {cluster}, {brokers}, {more}}}
"""
WAYS = {
    "plain": ("open", ""),
    "behind": ("open", "proxy_protocol: required"),
    "locked": (
        "guarded",
        "authentication: {mechanisms: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512], allow_without_tls: true}",
    ),
}
"""Listener -> its cluster, and what else is declared of it."""
_SHARES = (5, 3, 2)
"""Of the connections; failures to authenticate are answered late on purpose."""


class HostileBroker:
    """Answers the gateway's own questions, and everybody else's with damaged messages."""

    def __init__(self, port: int, random: Random) -> None:
        self._port = port
        self._random = random
        self.heard_others = 0
        """Requests that were not the gateway's own."""
        self.said: dict[bytes, bytearray] = {}
        """First request of a connection -> all that was answered on it."""

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        held, said = bytearray(), None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                while some := await stream.receive_some(65536):
                    held += some
                    while len(held) >= 14 and 10 <= (size := int.from_bytes(held[:4], "big", signed=True)) < _LARGEST:
                        if len(held) < 4 + size:
                            break
                        frame = bytes(held[: 4 + size])
                        del held[: 4 + size]
                        answer = self._answer(frame)
                        if said is None:
                            said = self.said.setdefault(frame, bytearray())
                        said += answer
                        await stream.send_all(answer)
                        if int.from_bytes(answer[:4], "big") != len(answer) - 4:
                            return  # it has lied about its size: nobody could say when it is over

    def _answer(self, frame: bytes) -> bytes:
        key, version = (int.from_bytes(frame[at : at + 2], "big", signed=True) for at in (4, 6))
        own = frame[14:22] == b"tidegate"
        self.heard_others += not own
        if own or frame[14:20] == b"honest":
            return messages.response(
                int.from_bytes(frame[8:12], "big", signed=True),
                self._own(key) if own else b"an honest answer",
                flexible=key != messages.API_VERSIONS,
            )
        known = corpus.responses_to(key, version)
        tags = b"\0" if response_header_version(key, version) == 1 else b""
        content = self._random.choice(known) if known else tags + self._random.randbytes(20)
        whole = (4 + len(content)).to_bytes(4, "big") + frame[8:12] + content
        return whole if self._random.random() < 0.4 else damaged(whole, self._random)

    def _own(self, key: int) -> bytes:
        if key == messages.API_VERSIONS:
            return messages.offered_versions([(messages.METADATA, 0, 9), (messages.API_VERSIONS, 0, 4)])
        return messages.metadata_answer({1: ("127.0.0.1", self._port)})


class GatewayUnderFire:
    """The gateway's process."""

    def __init__(self, process: psutil.Popen, ports: Mapping[str, int], log: Path) -> None:
        self.process = process
        self.ports = ports
        """Listener -> its bootstrap port."""
        self.log = log

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self.process.poll() is None)

    @property
    def complaints(self) -> list[str]:
        """Its log from the first line on that only an error of its own explains."""
        lines = self.log.read_text(errors="replace").splitlines()
        bad = (at for at, line in enumerate(lines) if "Traceback" in line or "error of the gateway" in line)
        return lines[next(bad, len(lines)) :]

    @property
    def connections(self) -> int:
        """How many sockets it holds that are no doors: a hostile broker may well make it open many of those."""
        return sum(1 for each in self.process.net_connections("tcp") if each.status != psutil.CONN_LISTEN)

    async def serves(self) -> bool:
        """Return whether an honest client gets its answer."""
        with trio.move_on_after(READY), suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream("127.0.0.1", self.ports["plain"]) as stream:
                await stream.send_all(messages.request(messages.LIST_GROUPS, 4, 7, b"\0\0\0\0", client_id="honest"))
                heard = b""
                while b"an honest answer" not in heard and (some := await stream.receive_some()):
                    heard += some
                return b"an honest answer" in heard
        return False


@asynccontextmanager
async def gateway_under_fire(folder: Path, brokers: Mapping[str, int]) -> AsyncIterator[GatewayUnderFire]:
    """Run `tidegate serve` before the brokers (cluster -> port) for the length of a block."""
    base, ready, log = free_base(range(12)), folder / "ready", folder / "gateway.log"
    ports = {name: base + 4 * number for number, name in enumerate(WAYS)}
    declared = "---".join(RESOURCES.format(name=name, broker=port) for name, port in brokers.items())
    for name, (cluster, more) in WAYS.items():
        # A hostile broker names nodes with any ids: their doors share three ports, and all but the first are refused.
        first = ports[name] + 1
        given = f"broker_ports: {{first: {first}, count: 3}}"
        declared += LISTENER.format(name=name, port=ports[name], cluster=cluster, brokers=given, more=more)
    (folder / "resources.yaml").write_text(declared)
    command = [sys.executable, "-m", "appliance", "serve", "-f", str(folder / "resources.yaml")]
    command += ["--api", "127.0.0.1:0", "--state", str(folder / "state"), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        with trio.fail_after(READY):
            while not ready.exists():
                if process.poll() is not None:
                    raise AssertionError(f"the gateway did not start:\n{log.read_text()}")
                await trio.sleep(0.05)
        yield GatewayUnderFire(process, ports, log)
    finally:
        if process.poll() is None:
            process.terminate()
        await trio.to_thread.run_sync(process.wait)


async def run(
    frames: int, seed: int, findings: Findings, *, news: Callable[[Summary], None] = lambda _: None
) -> Summary:
    """Send so many frames to a gateway and return what became of it; what is wrong is in the findings."""
    summary, began = Summary(), trio.current_time()
    with tempfile.TemporaryDirectory(prefix="tidegate-fuzz-") as folder:
        brokers, ports = {}, {}
        async with trio.open_nursery() as nursery:
            for cluster in ("open", "guarded"):
                (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
                ports[cluster] = listener.socket.getsockname()[1]
                brokers[cluster] = HostileBroker(ports[cluster], Random(seed))
                nursery.start_soon(trio.serve_listeners, brokers[cluster].serve, [listener])
            async with gateway_under_fire(Path(folder), ports) as gateway:
                await _fire(gateway, brokers, frames, seed, findings, summary, lambda: _tell(summary, began, news))
            nursery.cancel_scope.cancel()
    _tell(summary, began, news)
    return summary


def _tell(summary: Summary, began: float, news: Callable[[Summary], None]) -> None:
    summary.seconds = trio.current_time() - began
    news(summary)


async def _fire(
    gateway: GatewayUnderFire,
    brokers: Mapping[str, HostileBroker],
    frames: int,
    seed: int,
    findings: Findings,
    summary: Summary,
    tell: Callable[[], None],
) -> None:
    said: list[list[bytes]] = []

    def found(what: str, *, frames: list[bytes] | None = None) -> None:
        spoken = [frames] if frames else said
        answered = b"".join(brokers["open"].said.get(each[0], b"") for each in spoken)
        trace = "\n".join(gateway.complaints[:40])
        findings.add(Finding(what, "over sockets", trace, b"".join(map(b"".join, spoken)), answered))

    if not await gateway.serves():
        found("the gateway serves nobody")
        return
    while summary.frames < frames and not findings.full:
        said.clear()
        brokers["open"].said.clear()
        turns = min(_ROUND, frames - summary.frames)
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(_client, gateway, seed, summary, said, found, turns // CLIENTS + 1)
        tell()
        if not gateway.alive:
            found(f"the gateway ended with {gateway.process.returncode}")
            return
        if not await gateway.serves():
            found("the gateway serves nobody any more")
            return
        if gateway.complaints:
            # Without the time and the client, so that the same is found once.
            found(f"the gateway met an error of its own: {gateway.complaints[0].partition(' on ')[2][:200]}")
        if brokers["guarded"].heard_others:
            found("a client that has not proven who it is was heard by the broker")
        if not brokers["open"].heard_others:
            found("nothing reached the broker: such a run proves nothing")
        summary.memory = [*summary.memory[:1], resident(gateway.process.pid)]
    await _judge(gateway, summary, found)


async def _judge(gateway: GatewayUnderFire, summary: Summary, found: Callable[[str], None]) -> None:
    with trio.move_on_after(READY):
        while gateway.connections:  # noqa: ASYNC110 - another process sets no event
            await trio.sleep(0.05)
    summary.left = gateway.connections
    if summary.left:
        found(f"{summary.left} connections are left open when everybody has gone")
    if len(summary.memory) > 1 and summary.memory[-1] - summary.memory[0] > MOST_GROWTH:
        found(f"the gateway's memory grew from {summary.memory[0]:.0f} to {summary.memory[-1]:.0f} MB")


async def _client(
    gateway: GatewayUnderFire,
    seed: int,
    summary: Summary,
    said: list[list[bytes]],
    found: Callable[..., None],
    turns: int,
) -> None:
    for _ in range(turns):
        random = Random(seed << 40 | summary.connections)  # what it says follows from its number, whoever is quicker
        summary.connections += 1
        (way,) = random.choices(tuple(WAYS), _SHARES)
        frames = [_asked(random, way) for _ in range(random.randint(1, 4))]
        if way == "behind" and random.random() < 0.9:
            header = random.choice(corpus.proxy_headers())
            frames.insert(0, header if random.random() < 0.7 else damaged(bytes(4) + header, random)[4:])
        summary.frames += len(frames)
        said.append(frames)
        # Whatever the gateway does to this connection is its right, but it must come to an end.
        with trio.move_on_after(PATIENCE) as patience, suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream("127.0.0.1", gateway.ports[way]) as stream:
                await stream.send_all(b"".join(frames))
                await stream.send_eof()
                while await stream.receive_some(65536):
                    pass
        if patience.cancelled_caught:
            found("a connection on which everything has been said does not end", frames=frames)


def _asked(random: Random, way: str) -> bytes:
    if random.random() < 0.05:
        return random.choice(corpus.strangers())
    looked_into = corpus.SASL if way == "locked" else corpus.ON_EVERY_CONNECTION
    api_key = random.choice(looked_into if random.random() < 0.5 else corpus.EVERY_API)
    low, high = known_versions(api_key) or (0, 0)
    frame = random.choice(corpus.requests_of(api_key, random.randint(low, high)))
    return frame if random.random() < 0.4 else damaged(frame, random)
