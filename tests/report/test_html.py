from __future__ import annotations

import pytest

from appliance.journal import events as e
from appliance.report.figures import bound
from appliance.report.headline import WORDS
from appliance.report.html import render_html
from tests.report import rehearsal
from tests.report.conftest import RunOf
from tests.report.page import read_page
from tests.report.variants import HOSTILE, VARIANTS

EVERY = pytest.mark.parametrize("variant", VARIANTS)


@EVERY
def test_stands_alone(run_of: RunOf, variant: str) -> None:
    html = render_html(run_of(variant))
    page = read_page(html)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
        assert not {"src", "srcset", "data", "action"} & set(attributes)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style.replace("url(#hatch)", "")
    assert "//" not in style


@EVERY
def test_is_well_formed_and_accessible(run_of: RunOf, variant: str) -> None:
    page = read_page(render_html(run_of(variant)))
    assert page.unbalanced == []
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("h1")) == 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for attributes in page.named("a")]
    labels = [each for _, attributes in page.elements for each in attributes.get("aria-labelledby", "").split()]
    assert {*links, *labels} <= set(ids)
    assert all("scope" in attributes for attributes in page.named("th"))
    (timeline,) = [each for each in page.named("svg") if each.get("role") == "img"]
    assert timeline["aria-labelledby"] == "timeline-title timeline-text"


@EVERY
def test_says_the_verdict_and_every_objective(run_of: RunOf, variant: str) -> None:
    summary, _ = VARIANTS[variant]()
    page = read_page(render_html(run_of(variant)))
    assert f"Verdict: {WORDS[summary.verdict]}" in page.text
    for reason in summary.reasons:
        assert " ".join(bound(reason).split()) in page.text
    for each in summary.objectives:
        assert " ".join(each.name.split()) in page.text
        assert " ".join(each.metric.split()) in page.text
    for client in summary.recovery:
        assert " ".join(client.client.split()) in page.text


def test_sets_targets_against_measurements(run_of: RunOf) -> None:
    text = read_page(render_html(run_of("fail"))).text
    assert "RTO Recovery time 11.31 s target ≤ 10 s" in text
    assert "RPO Acknowledged records lost 3 records target = 0 records" in text
    assert "Objectives met 1 of 4" in text
    assert "lost canary/2/1106" in text
    assert "seed of this run is 4711" in text


def test_says_how_the_gateway_was_run(run_of: RunOf) -> None:
    plain, secured = (read_page(render_html(run_of(variant))).text for variant in ("pass", "secured"))
    assert "The gateway served in 1 process." in plain
    assert "without TLS and without proving who they were" in plain
    assert "The gateway served in 2 processes." in secured
    assert "over TLS and proved who they were with SCRAM-SHA-512" in secured


def test_shows_hostile_text_as_text(run_of: RunOf) -> None:
    directory = run_of("hostile")
    (directory / "scenario.yaml").write_bytes(HOSTILE.encode() + b"\xff\x00")
    html = render_html(directory)
    assert "<script" not in html
    assert "<img" not in html
    assert "evil.example" in read_page(html).text


def test_warns_of_a_fault_that_never_fired(run_of: RunOf) -> None:
    text = read_page(render_html(run_of("inconclusive"))).text
    assert "lost-ack never fired. It matched 1,003 requests" in text
    assert "Undecided" in text
    assert "never fired" not in read_page(render_html(run_of("pass"))).text


def test_says_who_did_not_come_back_and_what_is_not_known(run_of: RunOf) -> None:
    text = read_page(render_html(run_of("unrecovered"))).text
    assert text.count("Not recovered within the window") == 3
    assert "Not stable again within the window: canary, fixed-reader and group-reader." in text
    assert "No final read took place" in text
    assert "RPO Acknowledged records lost not known" in text
    assert "The scenario sets no objective." in text
    assert "The run was not completed (aborted): guard: no client succeeded for 15 s" in text


def test_says_clean_in_one_line(run_of: RunOf) -> None:
    directory = run_of("pass")
    base = rehearsal.summary()
    ledger = base.ledger.model_copy(update={"redelivered": 0, "indeterminate": 0, "indeterminate_found": 0})
    clean = [each.model_copy(update={"indeterminate": 0}) for each in base.partitions if each.client == "canary"]
    summary = base.model_copy(update={"ledger": ledger, "partitions": clean})
    rehearsal.write(directory / "clean", summary, rehearsal.events())
    text = read_page(render_html(directory / "clean")).text
    assert "Clean: all 12,795 acknowledged records are in the surviving log, each once, in order and as sent" in text
    assert "No client and no partition has anything to report." in text


def test_renders_an_almost_empty_run(run_of: RunOf) -> None:
    base, happened = VARIANTS["pass"]()
    lists = ("partitions", "objectives", "faults", "recovery", "availability", "steady_state", "clusters")
    nothing: dict[str, object] = {name: [] for name in lists}
    update = nothing | {"verdict": "invalid", "exit_code": 2, "duration_seconds": 0.0, "surviving_cluster": ""}
    first: list[e.Event] = [event for event in happened if isinstance(event, e.RunStarted)]
    directory = run_of("pass") / "empty"
    rehearsal.write(directory, base.model_copy(update=update), first)
    page = read_page(render_html(directory))
    assert page.unbalanced == []
    assert "Verdict: INVALID" in page.text
    assert "Objectives met none set" in page.text
