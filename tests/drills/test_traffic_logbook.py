from appliance.drills.ledger import Delivery, Outcome, Write
from appliance.drills.traffic.logbook import Logbook


def _write(seq: int, done: float, outcome: Outcome = "acknowledged", error: str = "") -> Write:
    return Write("canary", "orders", 0, seq, f"canary/0/{seq}", "d", done - 0.1, done, outcome, seq, error)


def _book() -> Logbook:
    book = Logbook(clock=lambda: 42.0)
    book.enrol("canary")
    book.enrol("tail")
    return book


def test_counts_successes_and_the_longest_gap():
    book = _book()
    for seq, done in enumerate([1.0, 1.5, 4.0, 4.1]):
        book.wrote(_write(seq, done))
    tally = book.tallies["canary"]
    assert (tally.successes, tally.troubles, tally.last_success, tally.longest_gap) == (4, 0, 4.1, 2.5)


def test_troubles_are_told_once():
    book = _book()
    book.wrote(_write(0, 1.0, "indeterminate", "_MSG_TIMED_OUT"))
    book.wrote(_write(1, 1.0, "indeterminate", "_MSG_TIMED_OUT"))
    book.troubled("tail", "OFFSET_OUT_OF_RANGE")
    assert book.new_troubles() == {("canary", "_MSG_TIMED_OUT"): 2, ("tail", "OFFSET_OUT_OF_RANGE"): 1}
    assert book.new_troubles() == {}
    assert book.tallies["canary"].troubles == 2


def test_gives_the_rows_of_the_last_seconds():
    book = _book()
    for seq in range(10):
        book.wrote(_write(seq, float(seq)))
        book.delivered(Delivery("tail", "orders", 0, seq, f"canary/0/{seq}", float(seq)))
    assert [each.seq for each in book.writes_since(7.0)] == [9, 8, 7]
    assert [each.offset for each in book.deliveries_since(8.5)] == [9]
