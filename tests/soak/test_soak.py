"""The soak's judgement, shown every kind of damage that it has to see; and a soak of some seconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from appliance.drills.ledger import Delivery, RecordLedger, Stored, Write
from tests.bench.sides import ROOT
from tests.soak.judging import Evidence, Kill, judge
from tests.soak.plans import CLUSTER, ORDERS, PAYMENTS
from tests.soak.soak import SoakError, Wish, soak
from tests.soak.watching import Sample, Trend, trend

FLAT = Trend(70.0, 1.0, 1.0, 4.0)


def write(topic: str, seq: int, outcome: str = "acknowledged") -> Write:
    return Write("w", topic, 0, seq, f"w/0/{seq}", "digest", 0.0, 0.0, outcome, seq, "")  # type: ignore[arg-type]


def evidence() -> Evidence:
    """Return a clean soak: five records in each topic, an aborted one, a reader by itself and a group of two."""
    ledger = RecordLedger()
    for topic in (ORDERS, PAYMENTS):
        ledger.writes.extend(write(topic, seq) for seq in range(5))
        ledger.stored.extend(Stored(CLUSTER, topic, 0, seq, f"w/0/{seq}", "digest") for seq in range(5))
    ledger.writes.append(write(PAYMENTS, 5, "failed"))
    for reader in ("alone", "member-1"):
        ledger.deliveries.extend(Delivery(reader, ORDERS, 0, seq, f"w/0/{seq}", 0.0) for seq in range(5))
    ledger.deliveries.append(Delivery("member-2", ORDERS, 0, 4, "w/0/4", 0.0))  # redelivered to its group: legal
    return Evidence(ledger, {"alone": None, "member-1": "group", "member-2": "group"}, [], FLAT, (12, 12))


def broken(found: Evidence) -> list[str]:
    return [check.name for check in judge(found) if not check.ok]


def test_clean_soak_holds():
    assert broken(evidence()) == []


def lose(found: Evidence) -> None:
    del found.ledger.stored[4]


def double(found: Evidence) -> None:
    found.ledger.stored.append(Stored(CLUSTER, ORDERS, 0, 9, "w/0/1", "digest"))


def show_an_aborted_one(found: Evidence) -> None:
    found.ledger.stored.append(Stored(CLUSTER, PAYMENTS, 0, 9, "w/0/5", "digest"))


def skip(found: Evidence) -> None:
    del found.ledger.deliveries[0]


def deliver_twice(found: Evidence) -> None:
    found.ledger.deliveries.append(Delivery("alone", ORDERS, 0, 2, "w/0/2", 0.0))


def read_nothing(found: Evidence) -> None:
    found.ledger.deliveries[:] = [row for row in found.ledger.deliveries if row.client == "alone"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose, "no record was lost"),
        (double, "no record was duplicated"),
        (show_an_aborted_one, "no record was altered"),
        (skip, "no record was skipped"),
        (deliver_twice, "no record came twice to a reader without a group"),
        (read_nothing, "every reader has read"),
    ],
)
def test_damage_is_seen(damage: Callable[[Evidence], None], said: str):
    found = evidence()
    damage(found)
    assert broken(found) == [said]


def test_no_traffic_is_never_a_pass():
    found = replace(evidence(), ledger=RecordLedger(), readers={})
    assert broken(found) == [
        f"records were written to {ORDERS}",
        f"records were written to {PAYMENTS}",
        "every reader has read",
    ]


def test_leaks_and_users_that_hang_are_seen():
    growing = Trend(70.0, 600.0, 10.0, 4.0)
    found = replace(evidence(), trend=growing, descriptors=(12, 13), unfinished=["writer-1"], ended=True)
    assert broken(found) == [
        "all users came to their end",
        "the gateway ran throughout",
        "memory is flat after the warm-up",
        "file descriptors are back where they were",
    ]
    assert broken(replace(evidence(), trend=None)) == ["memory is flat after the warm-up"]


@pytest.mark.parametrize(
    ("kill", "said"),
    [
        (Kill(7, 12, 12, 12, 0, restarted=True), []),
        (Kill(7, 12, 12, 12, 1, restarted=True), ["connections of other workers saw nothing"]),
        (Kill(7, 12, 12, 12, 0, restarted=False), ["the dead worker was replaced"]),
        (Kill(7, 0, 0, 12, 0, restarted=True), ["worker 7 was killed, and its connections broke"]),
    ],
)
def test_death_of_a_worker_is_for_its_own_connections_only(kill: Kill, said: list[str]):
    assert broken(replace(evidence(), kills=[kill])) == said


def test_memory_is_judged_after_the_warm_up_only():
    warming = [Sample(at, 30.0 + at, 10) for at in range(0, 60, 2)]
    flat = [Sample(at, 90.0 + at % 4, 10) for at in range(60, 180, 2)]
    found = trend(warming + flat, 180.0)
    assert found is not None
    assert found.flat
    assert found.growth == pytest.approx(0.0, abs=0.5)
    leaking = trend(warming + [Sample(at, 90.0 + at / 6, 10) for at in range(60, 180, 2)], 180.0)
    assert leaking is not None
    assert not leaking.flat
    assert leaking.per_hour == pytest.approx(600.0)
    assert trend(flat[:2], 180.0) is None
    again = [Sample(at, 30.0 + (at - 180) / 2, 10) for at in range(180, 240, 2)]
    restarted = trend(
        [*warming, *flat, *again, *(Sample(at, 60.0, 10) for at in range(240, 360, 2))], 360.0, since=180.0
    )
    assert restarted is not None
    assert restarted.growth == pytest.approx(0.0)


@pytest.mark.long
@pytest.mark.kafka
@pytest.mark.timeout(600)  # JVMs start on machines of all kinds
def test_soak_of_some_seconds_holds(tmp_path: Path):
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.2", "--rate", "40", "--out", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=550)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "did not hold" not in ended.stdout
    assert "Transactor" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--minutes", "0"], "expected --minutes above 0"),
        (["--kill-worker", "--workers", "1"], "needs --workers 2 or more"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str):
    command = [sys.executable, "-m", "tests.soak", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert said in ended.stdout + ended.stderr


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path):
    (tmp_path / "ledger.jsonl").write_text("of a soak that runs")
    with pytest.raises(SoakError, match="File exists"):
        trio.run(soak, Wish(1.0, 4, None, False, tmp_path), print)
    assert (tmp_path / "ledger.jsonl").read_text() == "of a soak that runs"
