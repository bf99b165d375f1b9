"""The matrix' own parts, without Kafka and without any toolchain: what is missing is said, the page says what was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from appliance.lab.jarlock import read_lock
from tests.matrix.access import Access, Security
from tests.matrix.checks import CHECKS
from tests.matrix.driver import PROGRAMS, Check
from tests.matrix.drivers.console_tools import ConsoleTools
from tests.matrix.drivers.every import every_client, every_standing_client
from tests.matrix.drivers.java import FOLDER, LOCKED
from tests.matrix.drivers.kcat import Kcat
from tests.matrix.page import text
from tests.matrix.results import CheckResult, ClientResult, Matrix, Outcome
from tests.matrix.running import CheckFailedError, expect
from tests.matrix.standing import OF_LIBRARIES, Mode, modes_of
from tests.matrix.tasks import Event, Task, Verb


def matrix(*clients: ClientResult, **fields) -> Matrix:
    started = datetime(2026, 8, 1, tzinfo=UTC)
    return Matrix(
        listener="plain",
        started=started,
        minutes=3,
        versions={"kafka": "4.3.1"},
        revision="abc",
        clients=list(clients),
        **fields,
    )


def client(**checks: CheckResult) -> ClientResult:
    found = {Check[name]: result for name, result in checks.items()}
    return ClientResult(name="a client", language="C", version="1.0", checks=found, strayed=[], doors=4)


PASSED = CheckResult(outcome=Outcome.PASSED)


def test_the_page_says_what_was_found():
    failed = CheckResult(outcome=Outcome.FAILED, reason="3 records\nmissing | <none>")
    lacking = CheckResult(outcome=Outcome.UNSUPPORTED, reason="the library has none")
    page = text([matrix(client(PRODUCE=PASSED, GROUP=failed, SHARE=lacking))])
    assert "| a client | 1.0 | yes | **NO** | not run | not run | not run | not run | not run | - | yes (4) |" in page
    assert "- a client, group: 3 records missing / (none)" in page
    assert "- a client, share group: the library has none" in page
    assert "Run on 2026-08-01,\nrevision abc, in 3 minutes; kafka 4.3.1." in page


def test_a_client_that_was_not_run_is_never_passed():
    absent = ClientResult(name="x", language="Go", version="1", not_run="no Go toolchain", missing_toolchain=True)
    assert not absent.passed
    assert matrix(absent).passed, "a missing toolchain is nobody's fault"
    page = text([matrix(absent)])
    assert "| x | 1 | not run |" in page
    assert "- x: not run: no Go toolchain" in page
    assert not ClientResult(name="x", language="Go", version="1").passed, "nothing was checked"


def test_a_client_that_strays_has_failed():
    strayed = client(PRODUCE=PASSED)
    assert strayed.passed
    strayed.strayed = [9092]
    assert not strayed.passed
    assert "**NO** (4)" in text([matrix(strayed)])
    assert "seen connected to brokers, at ports 9092" in text([matrix(strayed)])


def test_an_error_of_the_gateways_own_fails_the_run():
    complaint = matrix(client(PRODUCE=PASSED), complaints=["TypeError: x (2 times)"])
    assert not complaint.passed
    assert "`TypeError: x (2 times)`" in text([complaint])


def test_a_listener_that_there_is_not_is_not_passed():
    absent = matrix(not_run="this gateway has none")
    assert not absent.passed
    assert "Not run: this gateway has none" in text([absent])


def test_without_toolchains_every_client_says_what_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    needs = {driver.name: driver.needs() for driver in every_client()}
    assert needs["kafka-clients 4.3.1"] == "no JDK: javac is not on the PATH"
    assert needs["franz-go"] == "no Go toolchain: go is not on the PATH"
    assert needs["kafkajs"] == "no Node.js: node and npm not on the PATH"
    assert needs["kcat"] == "no kcat"
    assert needs["confluent-kafka"] is None
    assert needs["console tools"] is None, "the lab's own Java runs them"


def test_clients_have_names_of_their_own_and_known_versions():
    drivers = every_client()
    assert len({driver.name for driver in drivers}) == len(drivers) == 16
    assert all(driver.version[0].isdigit() for driver in drivers)
    assert set(CHECKS) == set(Check)


def test_what_a_client_does_without_end_follows_from_what_its_library_can():
    modes = {driver.name: modes_of(driver) for driver in every_standing_client()}
    assert modes["confluent-kafka"] == [mode for mode in OF_LIBRARIES if mode is not Mode.ONE_IN_FLIGHT]
    assert modes["kafka-clients 4.3.1"] == [mode for mode in OF_LIBRARIES if mode is not Mode.PRODUCER]
    assert modes["kafka-go"] == [Mode.PRODUCER, Mode.CLASSIC]
    assert Mode.NEW_GROUP not in modes["kafka-clients 2.8.2"]
    assert Mode.ASSIGNED not in modes["kafkajs"]
    assert modes["kcat"] == []
    assert modes["Kafka Streams"] == [Mode.STREAMS, Mode.STREAMS_GROUP, Mode.STREAMS_EXACTLY_ONCE]
    assert modes["Kafka Connect"] == [Mode.SINK]


def test_locks_name_no_registry():
    for lock in (PROGRAMS / "node").glob("*/package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        assert all("resolved" not in package for package in packages.values())
        assert all("integrity" in package for name, package in packages.items() if name)
    for name, coordinates in LOCKED.items():
        assert coordinates[0] in {jar.coordinate for jar in read_lock(FOLDER / f"{name}.lock").jars}


@pytest.fixture
def access(tmp_path: Path) -> Access:
    password = tmp_path / "password"
    password.write_text("s3cret")
    return Access("127.0.0.1:9", Security(tmp_path / "ca.pem", "SCRAM-SHA-512", "alice", password))


def test_no_password_stands_on_a_command_line(access: Access, tmp_path: Path):
    task = Task(verb=Verb.PRODUCE, access=access, topic="t", count=3)
    assert "s3cret" not in " ".join(task.flags())
    kcat = Kcat().command(task, tmp_path)
    assert "s3cret" not in " ".join(kcat.argv)
    assert (tmp_path / "kcat.conf").stat().st_mode & 0o077 == 0
    assert "sasl.password=s3cret" in (tmp_path / "kcat.conf").read_text()


def test_java_gets_its_login_in_its_own_words(access: Access):
    assert access.java("a.")["a.sasl.jaas.config"].startswith("org.apache.kafka.common.security.scram.ScramLoginModule")
    assert access.by("PLAIN").java()["sasl.mechanism"] == "PLAIN"
    assert access.java()["ssl.truststore.type"] == "PEM"
    assert Access("127.0.0.1:9").by("PLAIN").java() == {}


def test_lines_of_programs_and_tools_are_understood():
    tools = ConsoleTools()
    assert tools.parse("Partition:3\tOffset:17\tv-1") == Event(event="delivered", partition=3, offset=17, value="v-1")
    assert tools.parse("Processed a total of 3 messages") is None
    program = next(driver for driver in every_client() if driver.name == "franz-go")
    assert program.parse('{"event":"acked","value":"v-1","partition":1,"offset":2}') == Event(
        event="acked", value="v-1", partition=1, offset=2
    )
    with pytest.raises(ValidationError):
        program.parse('{"event":"acknowledged"}')


def test_expect_counts():
    expect(["a", "b", "a"], ["a", "a", "b"], "values")
    with pytest.raises(CheckFailedError, match=r"1 missing \(c\), 1 too many \(a\)"):
        expect(["a", "b", "a"], ["a", "b", "c"], "values")
