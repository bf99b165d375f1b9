from types import SimpleNamespace
from typing import Any

import pytest
import trio
from pydantic import TypeAdapter

from appliance.drills.ledger import Delivery, Outcome, Write
from appliance.drills.phases import BASELINE_STRETCHES, baseline
from appliance.drills.scenario import SteadyState
from appliance.drills.scenario.traffic import Client
from appliance.drills.stage import InconclusiveError
from appliance.drills.steady_state import Finding, Stretch, probe
from appliance.drills.traffic.logbook import Logbook

_CHECK: TypeAdapter[SteadyState] = TypeAdapter(SteadyState)


def _client(name: str, **work: object) -> Client:
    return Client.model_validate({"name": name, **work})


_SHOP = _client("shop", produce={"topic": "orders", "rate": "10/s"})
_TILL = _client("till", produce={"topic": "orders", "rate": "10/s"})
_IDLE = _client("idle", produce={"topic": "orders", "rate": "0/s"})
_LEDGER = _client("ledger", consume={"topic": "orders"})


def _check(**fields: object) -> SteadyState:
    return _CHECK.validate_python({"name": "check", **fields})


def _book(*rows: tuple[str, float, Outcome]) -> Logbook:
    """Writes of (client, when its fate was known, fate), each 0.1 s after it was sent."""
    book = Logbook(clock=lambda: 10.0)
    for name in ("shop", "till", "idle", "ledger"):
        book.enrol(name)
    for client, done, outcome in rows:
        book.wrote(Write(client, "orders", 0, 0, f"{client}/0/0", "d", done - 0.1, done, outcome, 0, "E"))
    return book


def _steady(client: str, rate: int, outcome: Outcome = "acknowledged") -> list[tuple[str, float, Outcome]]:
    return [(client, 5.0 + index / rate, outcome) for index in range(5 * rate)]


def test_a_rate_is_that_of_the_stretch():
    book = _book(("shop", 1.0, "acknowledged"), *_steady("shop", 10))
    assert probe(_check(probe="produce.rate", ge="9/s"), Stretch(book, 5.0, 10.0), [_SHOP]) == Finding("10/s", ok=True)


def test_the_worst_client_decides():
    book = _book(*sorted([*_steady("shop", 10), *_steady("till", 2)], key=lambda row: row[1]))
    finding = probe(_check(probe="produce.rate", ge="9/s"), Stretch(book, 5.0, 10.0), [_SHOP, _TILL, _IDLE, _LEDGER])
    assert finding == Finding("2/s", ok=False)


def test_only_the_named_clients_count():
    book = _book(*_steady("shop", 10))
    check = _check(probe="produce.rate", client="sh*", ge="9/s")
    assert probe(check, Stretch(book, 5.0, 10.0), [_SHOP, _TILL]).ok


def test_failures_of_all_kinds_are_errors():
    rows = [*_steady("shop", 8), ("shop", 10.0, "failed"), ("shop", 10.0, "indeterminate")]
    finding = probe(_check(probe="produce.error_ratio", le="1%"), Stretch(_book(*rows), 5.0, 10.0), [_SHOP])
    assert finding == Finding("4.76%", ok=False)


def test_latency_is_the_99th_percentile():
    finding = probe(
        _check(probe="produce.latency_p99", le="150ms"), Stretch(_book(*_steady("shop", 10)), 5.0, 10.0), [_SHOP]
    )
    assert finding == Finding("100ms", ok=True)


def test_deliveries_count_for_consumers():
    book = _book()
    for index in range(20):
        book.delivered(Delivery("ledger", "orders", 0, index, f"shop/0/{index}", 5.0 + index / 4))
    finding = probe(_check(probe="deliver.rate", ge="4/s"), Stretch(book, 5.0, 10.0), [_SHOP, _LEDGER])
    assert finding == Finding("4/s", ok=True)


@pytest.mark.parametrize(
    ("check", "running"),
    [
        (_check(probe="produce.error_ratio", le="0%"), [_SHOP]),
        (_check(probe="produce.latency_p99", le="1s"), [_SHOP]),
        (_check(probe="produce.rate", ge="0/s"), [_IDLE]),
        (_check(probe="deliver.rate", ge="0/s"), [_SHOP]),
    ],
)
def test_no_samples_are_no_pass(check, running):
    assert not probe(check, Stretch(_book(), 5.0, 10.0), running).ok


def _stage(book: Logbook, said: list[str], checked: list[tuple[str, bool]]) -> Any:
    """As much of a stage as the baseline needs: a scenario that wants 9/s of shop, watched for 5 s."""
    return SimpleNamespace(
        scenario=SimpleNamespace(steady_state=[_check(probe="produce.rate", ge="9/s")], baseline=5.0),
        logbook=book,
        clock=trio.current_time,
        record=SimpleNamespace(add=lambda event: checked.append((event.measured, event.ok))),
        progress=SimpleNamespace(say=said.append),
        running=lambda: [_SHOP],
    )


async def _write_at_ten_a_second(book: Logbook) -> None:
    while True:
        now = trio.current_time()
        book.wrote(Write("shop", "orders", 0, 0, f"shop/0/{now}", "d", now, now, "acknowledged", 0, ""))
        await trio.sleep(0.1)


@pytest.mark.usefixtures("autojump_clock")
async def test_clients_that_come_up_to_speed_late_are_watched_once_more(nursery):
    said: list[str] = []
    checked: list[tuple[str, bool]] = []
    book = _book()

    async def late() -> None:
        await trio.sleep(4.0)
        await _write_at_ten_a_second(book)

    nursery.start_soon(late)
    await baseline(_stage(book, said, checked))
    nursery.cancel_scope.cancel()
    assert [ok for _, ok in checked] == [False, True]
    (told,) = said
    assert told == f"the steady state does not hold yet: check is {checked[0][0]}, wanted >= 9/s"


@pytest.mark.usefixtures("autojump_clock")
async def test_a_steady_state_that_never_comes_about_is_given_up():
    said: list[str] = []
    checked: list[tuple[str, bool]] = []
    with pytest.raises(InconclusiveError, match="does not hold before the drill: check is 0/s, wanted >= 9/s"):
        await baseline(_stage(_book(), said, checked))
    assert len(checked) == BASELINE_STRETCHES
    assert len(said) == BASELINE_STRETCHES - 1
