from __future__ import annotations

import pytest

from appliance.report.narrative import narrative
from appliance.report.summary import Summary
from tests.report import rehearsal
from tests.report.variants import VARIANTS


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_tells_what_was_simulated() -> None:
    told = _plain(narrative(*VARIANTS["pass"]()).simulated)
    assert told.startswith("3 clients were at work (canary, fixed-reader and group-reader)")
    assert "It injected 4 faults: slow-orders (latency)" in told
    assert "killed brokers 1, 2 and 3 of primary" in told
    assert "The virtual cluster orders was switched over in 4.11 s." in told


def test_tells_who_recovered() -> None:
    told = _plain(narrative(*VARIANTS["pass"]()).recovered)
    assert told.startswith("All 3 disrupted clients recovered; the slowest, group-reader, worked steadily 11.3 s")


def test_tells_what_was_lost() -> None:
    assert "12,795 acknowledged records, 3 were missing from standby" in narrative(*VARIANTS["fail"]()).lost
    assert "12,795 acknowledged records, none were missing" in narrative(*VARIANTS["pass"]()).lost


def test_claims_nothing_without_a_final_read_of_the_survivor() -> None:
    summary, events = VARIANTS["pass"]()
    elsewhere = summary.model_copy(update={"surviving_cluster": "primary"})
    assert "whether any were lost is not known" in narrative(elsewhere, events).lost


def test_claims_nothing_without_traffic() -> None:
    ledger = rehearsal.summary().ledger.model_copy(update={"acknowledged": 0})
    summary = rehearsal.summary().model_copy(update={"ledger": ledger})
    assert "says nothing about durability" in narrative(summary, rehearsal.events()).lost


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("failed", "failed after"),
        ("rolled-back", "was rolled back after"),
        ("drain", "its last state was drain"),
    ],
)
def test_tells_a_switchover_that_went_wrong(state: str, told: str) -> None:
    events = [
        event.model_copy(update={"state": state}) if getattr(event, "state", "") == "done" else event
        for event in rehearsal.events()
    ]
    assert told in narrative(_undisrupted(), events).simulated


def test_tells_that_nothing_was_disrupted() -> None:
    assert "nothing to recover from" in narrative(_undisrupted(), []).recovered


def _undisrupted() -> Summary:
    base = rehearsal.summary()
    calm = [
        each.model_copy(update={"disrupted_at": None, "first_success_seconds": None, "stable_seconds": None})
        for each in base.recovery
    ]
    return base.model_copy(update={"recovery": calm, "faults": []})
