"""The verdict as JUnit XML: a suite per scenario, green exactly where the verdict is a pass.

Cases: each objective, each steady state check, each fault (that it fired at all), and the run itself. A missed
or undecided objective is a failure; a run that could not be carried through is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from appliance.report.headline import MEANINGS, WORDS
from appliance.report.summary import Summary

_JUDGED = ("pass", "fail", "inconclusive")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even as references (section 2.2)."""


def render_junit(summary: Summary) -> str:
    """Return the text of `junit.xml`."""
    suite = TestSuite(_xml(summary.scenario))
    suite.timestamp = _xml(summary.started)
    for name, value in _properties(summary).items():
        suite.add_property(_xml(name), _xml(value))
    cases = [*_objectives(summary), *_steady_state(summary), *_faults(summary)]
    cases.append(_run(summary, others_failed=any(case.result for case in cases)))
    suite.add_testcases(cases)
    document = JUnitXml("tidegate")
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # junitparser types only some of itself
    suite.time = document.time = round(summary.duration_seconds, 3)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call] # as above
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text.decode()}\n'


def _properties(summary: Summary) -> dict[str, str]:
    versions = {f"version.{name}": version for name, version in summary.versions.items()}
    return {
        "verdict": summary.verdict,
        "exit_code": str(summary.exit_code),
        "started": summary.started,
        "lab": summary.lab,
        "seed": str(summary.seed),
        "workers": str(summary.workers),
        "security": summary.security,
        "scenario_sha256": summary.integrity.scenario_sha256,
        "journal_head": summary.integrity.journal_head,
        **versions,
    }


def _objectives(summary: Summary) -> Iterator[TestCase]:
    for each in summary.objectives:
        told = f"{each.metric}: target {each.target}, measured {each.measured}"
        failed = "" if each.verdict == "pass" else f"{each.verdict}: {told}"
        group = f"{summary.scenario}.objectives"
        yield _case(group, each.name, told, failed=failed, kind=each.verdict, detail=each.detail)


def _steady_state(summary: Summary) -> Iterator[TestCase]:
    group = f"{summary.scenario}.steady-state"
    for each in summary.steady_state:
        checks = (("before", each.before, each.before_ok), ("after", each.after, each.after_ok))
        for when, measured, ok in checks:
            told = f"{when} the drill: target {each.target}, measured {measured or 'nothing'}"
            yield _case(group, f"{each.name} {when}", told, failed="" if ok else told, kind="steady-state")


def _faults(summary: Summary) -> Iterator[TestCase]:
    group = f"{summary.scenario}.faults"
    for each in summary.faults:
        told = f"{each.type}: matched {each.matched}, fired {each.fired}"
        failed = "" if each.fired else f"inconclusive: the fault never fired ({told})"
        yield _case(group, f"{each.name} fired", told, failed=failed, kind="inconclusive", detail=each.description)


def _run(summary: Summary, *, others_failed: bool) -> TestCase:
    told = f"{WORDS[summary.verdict]}: {MEANINGS[summary.verdict]}"
    case = _case(f"{summary.scenario}.run", "verdict", told)
    text = "\n".join(summary.reasons)
    if summary.verdict not in _JUDGED:
        case.result = [_entry(Error, told, summary.verdict, text)]
    elif summary.verdict != "pass" and not others_failed:
        case.result = [_entry(Failure, told, summary.verdict, text)]
    return case


def _case(group: str, name: str, told: str, *, failed: str = "", kind: str = "", detail: str = "") -> TestCase:
    case = TestCase(_xml(name), classname=_xml(group), time=0.0)
    case.system_out = _xml(told)
    if failed:
        case.result = [_entry(Failure, failed, kind, detail)]
    return case


def _entry(entry: type[Failure] | type[Error], message: str, kind: str, text: str) -> Failure | Error:
    made = entry(_xml(message), kind)
    made.text = _xml(text)
    return made


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
