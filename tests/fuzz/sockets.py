"""The same over sockets: a gateway as users start it, hostile clients before it and a hostile broker behind it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
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


class HostileBroker:
    """Answers the gateway's own questions, and everybody else's with damaged messages."""

    def __init__(self, port: int, random: Random) -> None:
        self._port = port
        self._random = random
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
        own = frame[14:21] == b"tidegate"[:7]
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

    def __init__(self, process: psutil.Popen, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self.process.poll() is None)

    @property
    def complaints(self) -> list[str]:
        """Lines of its log that only an error of its own explains."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or "error of the gateway" in line]

    @property
    def connections(self) -> int:
        """How many sockets it holds that are no doors: a hostile broker may well make it open many of those."""
        return sum(1 for each in self.process.net_connections("tcp") if each.status != psutil.CONN_LISTEN)

    async def serves(self) -> bool:
        """Return whether an honest client gets its answer."""
        with trio.move_on_after(READY), suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
                await stream.send_all(messages.request(messages.LIST_GROUPS, 4, 7, b"\0\0\0\0", client_id="honest"))
                heard = b""
                while b"an honest answer" not in heard and (some := await stream.receive_some()):
                    heard += some
                return b"an honest answer" in heard
        return False


@asynccontextmanager
async def gateway_under_fire(folder: Path, broker_port: int) -> AsyncIterator[GatewayUnderFire]:
    """Run `tidegate serve` before the broker for the length of a block."""
    base, ready, log = free_base(range(4)), folder / "ready", folder / "gateway.log"
    command = [sys.executable, "-m", "appliance", "serve", "--to", f"127.0.0.1:{broker_port}"]
    command += ["--listen", f"127.0.0.1:{base}", "--state", str(folder / "state"), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        with trio.fail_after(READY):
            while not ready.exists():
                if process.poll() is not None:
                    raise AssertionError(f"the gateway did not start:\n{log.read_text()}")
                await trio.sleep(0.05)
        yield GatewayUnderFire(process, base, log)
    finally:
        if process.poll() is None:
            process.terminate()
        await trio.to_thread.run_sync(process.wait)


async def run(
    frames: int, seed: int, findings: Findings, *, news: Callable[[Summary], None] = lambda _: None
) -> Summary:
    """Send so many frames to a gateway and return what became of it; what is wrong is in the findings."""
    random, summary, began = Random(seed), Summary(), trio.current_time()
    with tempfile.TemporaryDirectory(prefix="tidegate-fuzz-") as folder:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            broker = HostileBroker(port, random)
            nursery.start_soon(trio.serve_listeners, broker.serve, [listener])
            async with gateway_under_fire(Path(folder), port) as gateway:
                await _fire(gateway, broker, frames, random, findings, summary, lambda: _tell(summary, began, news))
            nursery.cancel_scope.cancel()
    _tell(summary, began, news)
    return summary


def _tell(summary: Summary, began: float, news: Callable[[Summary], None]) -> None:
    summary.seconds = trio.current_time() - began
    news(summary)


async def _fire(
    gateway: GatewayUnderFire,
    broker: HostileBroker,
    frames: int,
    random: Random,
    findings: Findings,
    summary: Summary,
    tell: Callable[[], None],
) -> None:
    said: list[list[bytes]] = []

    def found(what: str, *, frames: list[bytes] | None = None) -> None:
        spoken = [frames] if frames else said
        answered = b"".join(broker.said.get(each[0], b"") for each in spoken)
        trace = "\n".join(gateway.complaints[:5])
        findings.add(Finding(what, "over sockets", trace, b"".join(map(b"".join, spoken)), answered))

    if not await gateway.serves():
        found("the gateway serves nobody")
        return
    while summary.frames < frames and not findings.full:
        said.clear()
        broker.said.clear()
        turns = min(_ROUND, frames - summary.frames)
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(_client, gateway, random, summary, said, found, turns // CLIENTS + 1)
        tell()
        if not gateway.alive:
            found(f"the gateway ended with {gateway.process.returncode}")
            return
        if not await gateway.serves():
            found("the gateway serves nobody any more")
            return
        if gateway.complaints:
            found(f"the gateway met an error of its own: {gateway.complaints[0][:200]}")
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
    random: Random,
    summary: Summary,
    said: list[list[bytes]],
    found: Callable[..., None],
    turns: int,
) -> None:
    for _ in range(turns):
        frames = [_asked(random) for _ in range(random.randint(1, 4))]
        summary.frames += len(frames)
        summary.connections += 1
        said.append(frames)
        # Whatever the gateway does to this connection is its right, but it must come to an end.
        with trio.move_on_after(PATIENCE) as patience, suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
                await stream.send_all(b"".join(frames))
                await stream.send_eof()
                while await stream.receive_some(65536):
                    pass
        if patience.cancelled_caught:
            found("a connection on which everything has been said does not end", frames=frames)


def _asked(random: Random) -> bytes:
    if random.random() < 0.05:
        return random.choice(corpus.strangers())
    api_key = random.choice(corpus.ON_EVERY_CONNECTION if random.random() < 0.5 else corpus.EVERY_API)
    low, high = known_versions(api_key) or (0, 0)
    frame = random.choice(corpus.requests_of(api_key, random.randint(low, high)))
    return frame if random.random() < 0.4 else damaged(frame, random)
