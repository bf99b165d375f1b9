"""The benchmark's own parts, without Kafka: the yardstick relays, and the arithmetic is right."""

from __future__ import annotations

import os
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from tests.bench.bare_relay import relay
from tests.bench.figures import Latency, Memory, Phase, Results, Side, Spread, Work, bars, percentile
from tests.bench.measuring import Plan
from tests.bench.page import Machine, text
from tests.bench.processes import cpu_seconds, resident, tree
from tests.bench.profiling import own_time
from tests.bench.screen import in_words

PRODUCE, METADATA = 0, 3


def request(api_key: int, correlation_id: int, body: bytes) -> bytes:
    return struct.pack(">ihhi", 8 + len(body), api_key, 1, correlation_id) + body


def response(correlation_id: int, body: bytes) -> bytes:
    return struct.pack(">ii", 4 + len(body), correlation_id) + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def exactly(stream: trio.SocketStream, count: int) -> bytes:
    found = b""
    while len(found) < count:
        data = await stream.receive_some(count - len(found))
        assert data
        found += data
    return found


@pytest.mark.parametrize("piece", [1, 7, 1000, 2_000_000])
async def test_relay_carries_frames_and_replaces_ports_in_metadata_only(piece: int, nursery: trio.Nursery):
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    there, here = listeners[0].socket.getsockname()[1], free_port()
    nursery.start_soon(relay, here, {here: there})
    await trio.testing.wait_all_tasks_blocked()
    client = await trio.open_tcp_stream("127.0.0.1", here)
    broker = await listeners[0].accept()
    body = os.urandom(300_000 if piece > 7 else 500)
    sent = request(METADATA, 1, b"") + request(PRODUCE, 2, body)
    node, own = (struct.pack(">H9si", 9, b"127.0.0.1", port) for port in (there, here))
    answers = response(1, node) + response(2, node + body)

    async def in_pieces(stream: trio.SocketStream, data: bytes) -> None:
        for at in range(0, len(data), piece):
            await stream.send_all(data[at : at + piece])

    nursery.start_soon(in_pieces, client, sent)
    assert await exactly(broker, len(sent)) == sent
    nursery.start_soon(in_pieces, broker, answers)
    assert await exactly(client, len(answers)) == response(1, own) + response(2, node + body)
    await client.aclose()
    assert await broker.receive_some() == b""
    await broker.aclose()
    await listeners[0].aclose()
    nursery.cancel_scope.cancel()


@pytest.fixture
def results() -> Results:
    def work(*seconds: float, cpu: float | None) -> list[Work]:
        return [Work(each, 100_000_000, cpu) for each in seconds]

    return Results(
        work={
            (Phase.PRODUCE, Side.DIRECT): work(1.0, 2.0, 1.0, cpu=None),
            (Phase.PRODUCE, Side.RELAY): work(1.0, 2.0, 1.25, cpu=0.2),
            (Phase.PRODUCE, Side.GATEWAY): work(1.25, 2.5, 2.0, cpu=0.25),
        },
        latency={
            Side.DIRECT: [Latency(1.0, 5.0), Latency(2.0, 6.0)],
            Side.GATEWAY: [Latency(1.1, 4.0), Latency(2.2, 7.0)],
        },
        memory={Side.GATEWAY: Memory(50.0, 120.0, 130.0)},
    )


def test_ratios_are_taken_within_a_round(results: Results):
    assert results.throughput(Phase.PRODUCE, Side.DIRECT) == Spread(100.0, 50.0, 100.0)
    assert results.throughput_ratio(Phase.PRODUCE, Side.GATEWAY) == Spread(0.8, 0.5, 0.8)
    assert results.cpu_per_gigabyte(Phase.PRODUCE, Side.RELAY) == pytest.approx((2.0, 2.0, 2.0))
    assert results.cpu_ratio(Phase.PRODUCE) == pytest.approx((1.25, 1.25, 1.25))
    assert results.added(Side.GATEWAY, "p50") == pytest.approx((0.15, 0.1, 0.2))
    assert results.added(Side.GATEWAY, "p99") == pytest.approx((0.0, -1.0, 1.0))
    assert results.throughput(Phase.CONSUME, Side.DIRECT) is None


def test_bars_judge_only_what_was_measured(results: Results):
    assert [(bar.name, bar.met) for bar in bars(results)] == [
        ("produce, of direct", False),
        ("CPU per GB produced, of the bare relay's", True),
        ("added p50", True),
        ("RSS with the connections open", False),
    ]
    assert bars(Results()) == []


def test_percentile_and_words():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1000), 0.99) == 990
    assert percentile([1], 0.99) == 1
    assert in_words(Spread(1.234, 1.0, 2.0), 2) == "1.23 (1.00 to 2.00)"
    assert in_words(Spread(1.0, 1.0, 1.0), 1) == "1.0"


def test_page_says_what_was_found(results: Results):
    machine = Machine("a processor", 2, 24.0, "6.1", 0.5, {"kafka": "4.3.1"}, "abc")
    page = text(results, Plan(3, 100, 500, frozenset(Phase)), machine, 2.0, datetime(2026, 8, 1, tzinfo=UTC))
    assert "| produce, of direct | ≥ 0.9 | 0.80 (0.50 to 0.80) | **not met** |" in page
    assert "a spread of 50% of the median" in page


def test_own_process_can_be_watched():
    assert cpu_seconds(os.getpid()) > 0
    assert resident([os.getpid()]).now > 5
    assert tree(os.getpid())[0] == os.getpid()
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_seconds(2**22 + 1)


def test_own_time_is_that_of_the_innermost_frame():
    lines = ["main (a.py:1);f (b.py:10) 3", "main (a.py:1);f (b.py:11) 3", "main (a.py:2) 2"]
    assert own_time(lines) == [(0.75, "f (b.py)"), (0.25, "main (a.py)")]


def test_pytest_does_not_collect_the_benchmark():
    assert [each.name for each in Path(__file__).parent.glob("test_*.py")] == ["test_bench.py"]
