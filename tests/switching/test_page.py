"""The page says what was found, and what was not run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.matrix.drivers.every import every_standing_client
from tests.matrix.drivers.python import python_clients
from tests.matrix.standing import OF_LIBRARIES, Mode, modes_of
from tests.switching.__main__ import chosen, companies, judged, not_asked
from tests.switching.page import text
from tests.switching.play import plans_of
from tests.switching.rows import Row, Switched


def row(**fields) -> Row:
    given = {"client": "a client", "version": "1.0", "remedies": "on", "act": "planned", "mode": Mode.CLASSIC}
    return Row.model_validate({**given, "first_success": 2.1, "stable": 2.1, "looked_at": 12.0, **fields})


def found(*rows: Row, **fields) -> Switched:
    started = datetime(2026, 8, 1, tzinfo=UTC)
    return Switched(started=started, minutes=3, versions={"kafka": "4.3.1"}, revision="abc", rows=list(rows), **fields)


def test_the_page_says_what_each_client_went_through():
    page = text(found(row(redelivered=7, redelivered_committed=0), row(mode=Mode.PRODUCER, lost=2, broken=["2 lost"])))
    assert "## A planned switch" in page
    assert "| a client 1.0 | consumer, classic group | 2.1 s | 2.1 s | 0 | 0 | 0 | 7 (0) | 0 | 0 | yes |" in page
    assert "| a client 1.0 | producer | 2.1 s | 2.1 s | 2 | 0 | 0 | 0 | 0 | 0 | **no** |" in page
    assert "- a client, producer: 2 lost" in page
    assert "1 of 2 rows held all that must" in page
    assert "## The way back" not in page, "it was not run"


def test_what_never_came_back_is_said_with_the_time_for_which_it_was_looked_at():
    page = text(found(row(remedies="off", first_success=None, stable=None, said="fatal <x> (3)", errors=3)))
    assert "| not in 12 s | not in 12 s |" in page
    assert "- a client, consumer, classic group: the application was told: fatal (x) (3)" in page


def test_what_was_lost_stands_beside_what_replication_had_not_carried():
    assert "| 5 of 5 |" in text(found(row(act="unplanned", lost=5, unreplicated=5)))


@pytest.mark.parametrize(
    ("fields", "said", "passed"),
    [
        ({}, "", True),
        ({"not_run": {"x": "no Go toolchain"}, "excused": ["x"]}, "- x: no Go toolchain", True),
        ({"not_run": {"x": "not installed: no network"}}, "- x: not installed: no network", False),
        ({"spoiled": ["planned: rolled-back"]}, "did not take place: planned: rolled-back", False),
        ({"stayed": [("on", "x: no")]}, "a client had to be killed at the end, remedies on: x: no", False),
        ({"stayed": [("off", "x: no")]}, "a client had to be killed at the end, remedies off: x: no", True),
        ({"complaints": ["TypeError: x (2 times)"]}, "an error of its own: TypeError: x (2 times)", False),
    ],
)
def test_a_run_passes_where_nothing_is_amiss_but_a_toolchain(fields: dict[str, object], said: str, passed: bool):
    assert found(row(), **fields).passed == passed
    assert said in text(found(row(), **fields))


def test_a_broken_bar_fails_the_run_with_the_remedies_on_only():
    assert not found(row(broken=["1 lost"])).passed
    assert found(row(), row(remedies="off", broken=["1 lost"])).passed
    assert not found(row(remedies="off")).passed, "nothing was judged"


def test_every_client_that_can_run_without_end_is_in_one_company_with_all_of_its_modes():
    drivers = [driver for driver in every_standing_client() if modes_of(driver)]
    assert [driver for company in companies(drivers) for driver in company] == drivers
    plans = plans_of(python_clients())
    assert len({plan.name for plan in plans}) == len(plans)
    assert {plan.mode for plan in plans} == {*OF_LIBRARIES} - {Mode.ONE_IN_FLIGHT}
    transactional = {plan.topic for plan in plans if plan.mode is Mode.TRANSACTIONAL}
    assert not transactional & {plan.topic for plan in plans if plan.mode is not Mode.TRANSACTIONAL}


def test_who_writes_nothing_reads_what_a_client_of_its_company_writes():
    for name in ("Kafka Streams", "Kafka Connect"):
        plans = plans_of(chosen(every_standing_client(), [name]))
        readers = [plan for plan in plans if plan.driver.name == name]
        assert readers
        for reader in readers:
            writers = [plan for plan in plans if plan.mode.produces and plan.topic == reader.topic]
            assert {plan.driver.language for plan in writers} == {reader.driver.language}


def test_a_missed_bar_is_explained_or_said_to_be_unexplained():
    disorder = row(mode=Mode.PRODUCER, out_of_order=2, broken=["2 out of order"])
    assert "**Producers that are not idempotent write out of order** (a client)." in text(found(disorder))
    assert "**Not explained yet**: a client, consumer, classic group, planned." in text(
        found(row(lost=1, broken=["1 lost"]))
    )
    assert "Why bars were missed" not in text(found(row(), row(remedies="off", lost=1, broken=["1 lost"])))


def test_what_no_dead_broker_spares_is_not_asked_of_a_client_and_the_page_says_so():
    left_out = {key: why for driver in every_standing_client() for key, why in not_asked(driver).items()}
    consumers = {f"@platformatic/kafka, {mode}" for mode in (Mode.CLASSIC, Mode.NEW_GROUP)}
    assert set(left_out) == consumers
    assert not consumers & {f"{plan.driver.name}, {plan.mode}" for plan in plans_of(every_standing_client())}
    page = text(found(row(), not_run=left_out, excused=list(left_out)))
    assert "- @platformatic/kafka, consumer, classic group: does not live through a move" in page


def test_where_clients_are_told_to_start_over_there_are_rows_of_those_that_do():
    drivers = every_standing_client()
    assert judged(drivers, "on") == {driver.name for driver in drivers}
    assert judged(drivers, "rebootstrap") == {"kafka-clients 4.3.1", "Kafka Streams", "Kafka Connect"}
    assert judged(python_clients(), "rebootstrap") == set()


def test_the_page_says_how_often_clients_were_told_to_start_over():
    page = text(found(row(), row(remedies="rebootstrap", stable=0.4), rebootstraps=7))
    assert "## For comparison: a planned switch in which clients are told to start over" in page
    assert "The gateway said it 7 times" in page
    assert "told to start over" not in text(found(row()))
