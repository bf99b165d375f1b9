from __future__ import annotations

from typing import get_args

from appliance.journal import events as e
from appliance.report.chronicle import chronicle
from tests.report import rehearsal
from tests.report.variants import VARIANTS


def _text(events: list[e.Event]) -> list[str]:
    return [entry.text for entry in chronicle(events)]


def test_every_kind_of_event_has_a_sentence() -> None:
    kinds = get_args(get_args(e.Event)[0])
    happened = VARIANTS["hostile"]()[1] + rehearsal.events()
    assert {type(event) for event in happened} == set(kinds)
    assert all(_text(happened))


def test_equal_errors_in_quick_succession_are_one_row() -> None:
    errors = [e.ClientError(at=at, client="canary", error="_TRANSPORT", count=2) for at in (1.0, 1.5, 2.5, 9.0)]
    assert _text([*errors]) == [
        "canary saw _TRANSPORT, 6 times, until 2.50 s",
        "canary saw _TRANSPORT, 2 times",
    ]


def test_floods_of_two_clients_keep_apart() -> None:
    errors: list[e.Event] = [
        e.ClientError(at=at, client=client, error="_TRANSPORT") for at in (1.0, 1.5) for client in ("a", "b")
    ]
    assert [text.split(",")[1] for text in _text(errors)] == [" 2 times", " 2 times"]


def test_partitions_of_a_final_read_are_one_row() -> None:
    reads = [event for event in rehearsal.events() if isinstance(event, e.FinalRead)]
    assert _text([*reads]) == ["Found 12,795 records in 6 partitions of orders on standby"]


def test_what_went_wrong_is_marked() -> None:
    ended = e.StepEnded(at=1.0, step="switch", ok=False, detail="timed out")
    (entry,) = chronicle([ended])
    assert (entry.text, entry.tone) == ("switch failed: timed out", "bad")
