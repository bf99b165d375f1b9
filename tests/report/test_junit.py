from __future__ import annotations

import pytest
from junitparser import JUnitXml, TestSuite

from appliance.report.junit import render_junit
from tests.report import rehearsal
from tests.report.variants import HOSTILE, VARIANTS


def _suite(text: str) -> TestSuite:
    (suite,) = JUnitXml.fromstring(text.encode())
    assert isinstance(suite, TestSuite)
    return suite


def _told(suite: TestSuite) -> dict[str, str]:
    return {case.name: result.message for case in suite for result in case.result}


@pytest.mark.parametrize(
    ("variant", "failures", "errors"),
    [("pass", 0, 0), ("fail", 3, 0), ("inconclusive", 3, 0), ("unrecovered", 1, 1), ("hostile", 4, 1)],
)
def test_counts(variant: str, failures: int, errors: int) -> None:
    summary, _ = VARIANTS[variant]()
    suite = _suite(render_junit(summary))
    cases = len(summary.objectives) + 2 * len(summary.steady_state) + len(summary.faults) + 1
    assert (suite.tests, suite.failures, suite.errors) == (cases, failures, errors)


def test_a_missed_objective_says_what_was_measured() -> None:
    told = _told(_suite(render_junit(VARIANTS["fail"]()[0])))
    assert told["rpo"] == "fail: lost.records: target = 0 records, measured 3 records"


def test_an_undecided_objective_and_an_idle_fault_fail() -> None:
    told = _told(_suite(render_junit(VARIANTS["inconclusive"]()[0])))
    assert told["rpo"].startswith("inconclusive: ")
    assert told["lost-ack fired"] == "inconclusive: the fault never fired (error: matched 1003, fired 0)"


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "aborted", "interrupted", "invalid", "tool-error"])
def test_no_verdict_but_a_pass_is_green(verdict: str) -> None:
    summary = rehearsal.summary().model_copy(update={"verdict": verdict, "reasons": ["no traffic"]})
    suite = _suite(render_junit(summary))
    assert suite.failures + suite.errors == 1
    assert list(_told(suite)) == ["verdict"]


def test_properties_say_what_was_run() -> None:
    suite = _suite(render_junit(rehearsal.summary()))
    found = {each.name: each.value for each in suite.properties()}
    assert suite.name == "planned-switch"
    assert suite.timestamp == rehearsal.STARTED
    assert found["seed"] == "4711"
    assert (found["workers"], found["security"]) == ("1", "none")
    assert found["lab"] == "apache"
    assert found["verdict"] == "pass"
    assert found["version.kafka"] == "4.1.0"


def test_hostile_text_stays_text() -> None:
    suite = _suite(render_junit(VARIANTS["hostile"]()[0]))
    assert suite.name == HOSTILE.replace("\x1b", "\N{REPLACEMENT CHARACTER}")
