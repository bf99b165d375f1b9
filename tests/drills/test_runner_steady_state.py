import pytest
from pydantic import TypeAdapter

from appliance.drills.ledger import Delivery, Outcome, Write
from appliance.drills.scenario import SteadyState
from appliance.drills.scenario.traffic import Client
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
