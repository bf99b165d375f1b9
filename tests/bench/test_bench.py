"""The benchmark: the yardstick relays, the arithmetic is right, peers are configured, and all of it runs in small."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml
from confluent_kafka import KafkaError, KafkaException

from appliance.lab import ClusterPlan, LabPlan, open_lab
from tests.bench.bare_relay import relay
from tests.bench.bars import Bar, bars
from tests.bench.certificates import make_certificates
from tests.bench.clients import Clients
from tests.bench.figures import (
    Crowd,
    Latency,
    Memory,
    Phase,
    Results,
    Scaling,
    Side,
    Spread,
    Storm,
    Task,
    Work,
    above,
    percentile,
)
from tests.bench.load import Access, by_turns
from tests.bench.measuring import Bench, Ways
from tests.bench.missed import missed_bars
from tests.bench.page import Machine, text
from tests.bench.peers import kafka_proxy_arguments, kroxylicious_configuration, parse_peer
from tests.bench.plans import Plan
from tests.bench.processes import cpu_seconds, resident, tree
from tests.bench.profiling import own_time
from tests.bench.sides import ROOT, BenchError, Way
from tests.bench.tables import in_words

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
            (Task.PRODUCE, Side.DIRECT): work(1.0, 2.0, 1.0, cpu=None),
            (Task.PRODUCE, Side.RELAY): work(1.0, 2.0, 1.25, cpu=0.2),
            (Task.PRODUCE, Side.GATEWAY): work(1.25, 2.5, 2.0, cpu=0.25),
        },
        latency={
            Side.DIRECT: [Latency(1.0, 5.0, 1.0), Latency(2.0, 6.0, 2.0)],
            Side.GATEWAY: [Latency(1.1, 4.0, 1.25), Latency(2.2, 7.0, 2.5)],
        },
        memory={Side.GATEWAY: Memory(50.0, 120.0, 130.0)},
    )


def test_ratios_are_taken_within_a_round(results: Results):
    assert results.throughput(Task.PRODUCE, Side.DIRECT) == Spread(100.0, 50.0, 100.0)
    assert results.throughput_ratio(Task.PRODUCE, Side.GATEWAY) == Spread(0.8, 0.5, 0.8)
    assert results.cpu_per_gigabyte(Task.PRODUCE, Side.RELAY) == pytest.approx((2.0, 2.0, 2.0))
    assert results.cpu_ratio(Task.PRODUCE) == pytest.approx((1.25, 1.25, 1.25))
    assert above(results.latency, Side.GATEWAY, lambda row: row.p50) == pytest.approx((0.15, 0.1, 0.2))
    assert above(results.latency, Side.GATEWAY, lambda row: row.p99) == pytest.approx((0.0, -1.0, 1.0))
    assert results.throughput(Task.CONSUME, Side.DIRECT) is None


def test_bars_judge_only_what_was_measured(results: Results):
    assert [(bar.name, bar.met) for bar in bars(results)] == [
        ("produce, of direct", False),
        ("CPU per GB produced, of the bare relay's", True),
        ("added p50, one in flight", True),
        ("RSS after work on 200 connections", False),
    ]
    assert bars(Results()) == []


def test_of_every_missed_bar_is_said_why_or_that_nobody_knows():
    missed = missed_bars(
        [
            Bar("produce, of direct", Spread(0.8, 0.7, 0.9), 0.95, True),
            Bar("consume, of direct", Spread(0.9, 0.8, 1.0), 0.8, True),
            Bar("close", Spread(0.2, -0.3, 0.4), 0.0, False),
            Bar("far", Spread(3.0, 2.0, 4.0), 0.0, False),
        ]
    )
    assert [line.partition(":")[0] for line in missed.splitlines() if line.startswith("- ")] == [
        "- **produce, of direct**",
        "- **close**",
        "- Not explained yet",
    ]
    assert "both sides of the bar" in missed
    assert missed.rstrip().endswith("yet: far.")
    assert missed_bars([]) == ""


def with_peers(results: Results) -> Results:
    def work(*seconds: float, cpu: float) -> list[Work]:
        return [Work(each, 100_000_000, cpu) for each in seconds]

    go, jvm = Side.KAFKA_PROXY, Side.KROXYLICIOUS
    results.work |= {
        (Task.PRODUCE, go): work(1.0, 5.0, 1.0, cpu=0.5),
        (Task.PRODUCE, jvm): work(2.5, 5.0, 2.5, cpu=0.4),
        (Task.CONSUME, Side.GATEWAY): work(1.0, 1.0, 1.0, cpu=0.1),
        (Task.CONSUME, go): work(2.0, 1.2, 2.0, cpu=0.2),
        (Task.CONSUME, jvm): work(1.2, 2.0, 1.4, cpu=0.5),
    }
    results.latency[go] = [Latency(1.0, 5.0, 1.5), Latency(2.0, 6.0, 2.0)]
    results.paced = {Side.GATEWAY: [Latency(1.0, 2.0, 1.0)], go: [Latency(1.5, 1.5, 1.0)]}
    results.storm = {Side.GATEWAY: [Storm(0.1, 0.4, 0.5, 60)], jvm: [Storm(0.5, 1.0, 1.0, 300)]}
    results.crowd = {Side.GATEWAY: [Crowd(40, 1, 50, 20)], jvm: [Crowd(200, 1, 200, 30)]}
    results.bytes_scaling = [Scaling(2.0, 1.0), Scaling(2.0, 1.6)]
    return results


def test_bars_judge_against_the_peers_that_there_are(results: Results):
    found = {bar.name: (bar.figure.median, bar.met) for bar in bars(with_peers(results))}
    assert found["produce, of kafka-proxy's"] == (0.8, False)
    assert found["produce, of kroxylicious's"] == (2.0, True)
    assert found["consume, of the best peer's"] == (1.2, False)  # another peer is the best in another round
    assert found["CPU per GB produced, of kafka-proxy's"] == (0.5, True)
    assert found["CPU per GB consumed, of kroxylicious's"] == (0.2, True)
    assert found["p50 at a fixed rate, above kafka-proxy's"] == (-0.5, True)
    assert found["p99 at a fixed rate, above kafka-proxy's"] == (0.5, False)
    assert "p50 at a fixed rate, above kroxylicious's" not in found
    assert found["round trips per second, of kafka-proxy's"] == (1.0, True)
    assert found["RSS at many connections, of kroxylicious's"] == (0.25, True)
    assert found["reconnecting clients, p99, of kroxylicious's"] == (0.4, True)
    assert found["two workers of one, by the busiest one's CPU per GB"] == (1.625, True)


class Recorder:
    """Sides that note when it is whose turn; those that are named so fail, at once or in their second turn."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def connect(self, at: Access) -> Callable[[], None]:
        (name,) = at["topics"]
        if name == "never":
            raise OSError("is not there")

        def turn() -> None:
            self.seen.append(name)
            if name == "breaks" and self.seen.count(name) == 2:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "gave up"))

        return turn


def turns_of(*names: str, pids: Sequence[int] = ()) -> Mapping[str, Access]:
    return {name: {"bootstrap": "", "topics": [name], "pids": list(pids), "ca": None} for name in names}


def test_sides_take_turns_and_what_each_did_is_added_up():
    recorder = Recorder()
    found = by_turns(turns_of("a", "b", "c", pids=[os.getpid()]), 3, 1000, recorder.connect)
    assert "".join(recorder.seen) == "bca" + "cab" + "abc" + "bca"
    assert {side: (work.bytes, work.cpu > 0) for side, work in found["done"].items()} == dict.fromkeys(
        "abc", (3000, True)
    )
    assert found["failed"] == {}
    assert Work.sum([Work(1.0, 10, None), Work(2.0, 20, None)]) == Work(3.0, 30, None)
    assert Work.sum([Work(1.0, 10, 0.5), Work(2.0, 20, 0.25)]) == Work(3.0, 30, 0.75)


def test_side_that_fails_has_no_more_turns_and_the_others_have_theirs():
    recorder = Recorder()
    found = by_turns(turns_of("stays", "never", "breaks"), 3, 1000, recorder.connect)
    assert {side: work.bytes for side, work in found["done"].items()} == {"stays": 3000}
    assert found["failed"]["never"] == "is not there"
    assert "gave up" in found["failed"]["breaks"]
    assert Counter(recorder.seen) == {"stays": 4, "breaks": 2}


class Answers(Clients):
    """Clients for whom everything takes a second, but for what `unable` lists: (job's number, side)."""

    def __init__(self, *unable: tuple[int, Side]) -> None:
        self.unable = unable
        self.jobs: list[tuple[str, list[str]]] = []

    async def do(self, **job: Any) -> dict[str, Any]:
        self.jobs.append((job["do"], list(job["sides"])))
        failed = {side.value: "cannot" for number, side in self.unable if number == len(self.jobs)}
        done = {side: Work(1.0, 100, None) for side in job["sides"] if side not in failed}
        return {"done": done, "failed": failed}


async def run_with(clients: Answers, directory: Path, *phases: Phase) -> Results:
    ways = [Way(side, "", (1,)) for side in (Side.GATEWAY, Side.KAFKA_PROXY)]
    plan = Plan(2, 2, 50, frozenset(phases)).quick()
    async with open_lab(LabPlan((ClusterPlan("bench"),)), kind="embedded", directory=directory) as lab:
        bench = Bench(plan, lab.clusters["bench"], Ways(ways), clients, lambda _: None, lambda: None)
        await bench.run()
    return bench.results


async def test_peer_that_fails_is_left_out_of_that_load_and_nothing_else(tmp_path: Path):
    # Two jobs each: our own warm-up, the peer's, and the round.
    clients = Answers((5, Side.KAFKA_PROXY))
    results = await run_with(clients, tmp_path, Phase.PRODUCE, Phase.CONSUME)
    assert clients.jobs[4:] == [("produce", ["gateway", "kafka-proxy"]), ("consume", ["gateway"])]
    assert set(results.work) == {(Task.PRODUCE, Side.GATEWAY), (Task.CONSUME, Side.GATEWAY)}
    (note,) = results.notes
    assert note == "kafka-proxy was left out of 1 KB records: the clients could not do their work: cannot"


async def test_peer_that_fails_when_it_warms_up_has_no_rounds(tmp_path: Path):
    clients = Answers((3, Side.KAFKA_PROXY))
    await run_with(clients, tmp_path, Phase.PRODUCE, Phase.CONSUME)
    assert clients.jobs[2:] == [("produce", ["kafka-proxy"]), ("produce", ["gateway"]), ("consume", ["gateway"])]


async def test_own_side_that_fails_ends_the_run(tmp_path: Path):
    with pytest.raises(BenchError, match="could not do their work: cannot"):
        await run_with(Answers((5, Side.GATEWAY)), tmp_path, Phase.PRODUCE, Phase.CONSUME)


async def test_what_is_only_read_is_written_past_all_sides(tmp_path: Path):
    clients = Answers()
    await run_with(clients, tmp_path, Phase.CONSUME)
    assert clients.jobs[4:] == [("produce", ["direct"]), ("consume", ["gateway", "kafka-proxy"])]


def test_percentile_and_words():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1000), 0.99) == 990
    assert percentile([1], 0.99) == 1
    assert in_words(Spread(1.234, 1.0, 2.0), 2) == "1.23 (1.00 to 2.00)"
    assert in_words(Spread(1.0, 1.0, 1.0), 1) == "1.0"


MACHINE = Machine("a processor", 2, 24.0, "6.1", 0.5, {"kafka": "4.3.1"}, "abc")


def page(results: Results, *ways: Way) -> str:
    return text(results, Plan(3, 100, 500, frozenset(Phase)), MACHINE, ways, 2.0, datetime(2026, 8, 1, tzinfo=UTC))


def test_page_says_what_was_found(results: Results):
    found = page(results)
    assert "| produce, of direct | ≥ 0.95 | 0.80 (0.50 to 0.80) | **not met** |" in found
    assert "- **produce, of direct**: Clients, brokers and proxy share two cores" in found
    assert "- Not explained yet: RSS after work on 200 connections." in found
    assert "a spread of 50% of the median" in found
    assert "**Only these were compared**" in found
    assert "**Bars**: 2 of 4 are met" in found
    assert "kroxylicious |" not in found


def test_page_names_the_peers_and_what_was_left_out(results: Results):
    results.notes.append("workers: left out, for a reason")
    way = Way(Side.KAFKA_PROXY, "", (1,), "/home/me/kafka-proxy server", version="0.4.3")
    found = page(with_peers(results), way)
    assert "through kafka-proxy 0.4.3." in found
    assert "Only these were compared" not in found
    assert "- Not measured: workers: left out, for a reason." in found
    assert "`kafka-proxy server`" in found
    assert "/home/me" not in found


def test_peers_are_named_and_must_be_there(tmp_path: Path):
    binary = tmp_path / "a-binary"
    binary.touch(mode=0o755)
    assert parse_peer(f"kafka-proxy={binary}").side is Side.KAFKA_PROXY
    with pytest.raises(BenchError, match="expected NAME=PATH with NAME one of kafka-proxy, kroxylicious"):
        parse_peer(f"envoy={binary}")
    with pytest.raises(BenchError, match="expected the kafka-proxy binary"):
        parse_peer(f"kafka-proxy={tmp_path}")
    with pytest.raises(BenchError, match=r"kroxylicious-app-VERSION\.jar"):
        parse_peer(f"kroxylicious={tmp_path}")
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kroxylicious-app-0.23.0.jar").touch()
    assert parse_peer(f"kroxylicious={tmp_path}").side is Side.KROXYLICIOUS


def test_peers_are_told_all_brokers_and_listen_on_the_loopback_only(tmp_path: Path):
    made = make_certificates(tmp_path)
    arguments = kafka_proxy_arguments(["127.0.0.1:1", "127.0.0.1:2"], [11, 12], made)
    assert "127.0.0.1:2,127.0.0.1:12,127.0.0.1:12" in arguments
    assert arguments[-2:] == ["--proxy-listener-key-file", str(made.key)]
    (cluster,) = yaml.safe_load(kroxylicious_configuration({5: "127.0.0.1:1", 9: "127.0.0.1:2"}, "127.0.0.1:20", made))[
        "virtualClusters"
    ]
    assert cluster["targetCluster"]["bootstrapServers"] == "127.0.0.1:1,127.0.0.1:2"
    (gateway,) = cluster["gateways"]
    assert [each["start"] for each in gateway["portIdentifiesNode"]["nodeIdRanges"]] == [5, 9]
    assert gateway["tls"]["key"]["certificateFile"] == str(made.certificate)


def test_certificate_is_for_the_loopback_and_its_key_for_nobody_else(tmp_path: Path):
    made = make_certificates(tmp_path)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(made.authority))
    server.load_cert_chain(made.certificate, made.key)
    here, there = socket.socketpair()
    with here, there, ThreadPoolExecutor() as threads:
        accepting = threads.submit(server.wrap_socket, there, server_side=True)
        with client.wrap_socket(here, server_hostname="127.0.0.1"), accepting.result():
            pass
    assert made.key.stat().st_mode & 0o077 == 0


@pytest.mark.long
@pytest.mark.kafka
@pytest.mark.timeout(600)  # JVMs start on machines of all kinds
def test_whole_benchmark_runs_in_small():
    command = [sys.executable, "-m", "tests.bench", "--quick"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=550)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for shown in ("produce, of direct", "consume, CPU s/GB", "added p50, ms", "all are answered after, s", "bars"):
        assert shown in ended.stdout


def test_own_process_can_be_watched():
    assert cpu_seconds(os.getpid()) > 0
    assert resident([os.getpid()]).now > 5
    assert tree(os.getpid())[0] == os.getpid()
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_seconds(2**22 + 1)


def test_own_time_is_that_of_the_innermost_frame():
    lines = ["main (a.py:1);f (b.py:10) 3", "main (a.py:1);f (b.py:11) 3", "main (a.py:2) 2"]
    lines.append("main (a.py:1);EpollIOManager.get_events (trio/_core/_io_epoll.py:250) 100")
    assert own_time(lines) == [(0.75, "f (b.py)"), (0.25, "main (a.py)")]


def test_pytest_does_not_collect_the_benchmark():
    assert [each.name for each in Path(__file__).parent.glob("test_*.py")] == ["test_bench.py"]
