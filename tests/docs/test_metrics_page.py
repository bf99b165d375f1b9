"""The page lists the metrics that there are, and the dashboard asks for nothing else.

`python -m tests.docs.test_metrics_page` writes the page's table anew.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from appliance.api.metric_definitions import ALL, Metric

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "metrics.md"
DASHBOARD = json.loads((DOCS / "grafana" / "tidegate.json").read_text(encoding="utf-8"))
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"

OF_PROMETHEUS = {"instance", "le"}
"""Labels that the scrape and the kind of metric add."""
PANELS = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]


def samples(metric: Metric) -> list[str]:
    """Return the names under which Prometheus stores it."""
    parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
    return [metric.name + part for part in parts]


BY_SAMPLE = {name: each for each in ALL for name in samples(each)}


def table() -> str:
    rows = [f"| `{each.name}` | {each.kind} | {', '.join(each.labels) or '-'} | {each.meaning} |" for each in ALL]
    return "\n".join(["| metric | kind | labels | |", "|---|---|---|---|", *rows]) + "\n"


def parts_of_the_page() -> tuple[str, str, str]:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between, after


def test_the_page_lists_the_metrics_that_there_are():
    assert parts_of_the_page()[1] == table()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_dashboard_asks_for_metrics_that_there_are(expression: str):
    names = re.findall(r"tidegate_\w+", expression)
    assert names
    assert set(names) <= BY_SAMPLE.keys()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_and_for_labels_that_they_have(expression: str):
    known = {label for name in re.findall(r"tidegate_\w+", expression) for label in BY_SAMPLE[name].labels}
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert set(group.split(", ")) <= known | OF_PROMETHEUS
    for name, selector in re.findall(r"(tidegate_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)(?:=~|!=|=)", selector)) <= {*BY_SAMPLE[name].labels, *OF_PROMETHEUS}


@pytest.mark.parametrize("panel", PANELS, ids=lambda each: each["title"])
def test_legends_name_labels_that_are_left(panel: dict[str, Any]):
    for target in panel["targets"]:
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        groups = re.findall(r"\bby \(([^)]*)\)", target["expr"])
        left = set(groups[0].split(", ")) - {"le"} if groups else {*_metric(target["expr"]).labels, "instance"}
        assert wanted <= left


def _metric(expression: str) -> Metric:
    return BY_SAMPLE[re.findall(r"tidegate_\w+", expression)[-1]]


def test_every_metric_is_on_the_dashboard():
    shown = {BY_SAMPLE[name].name for each in EXPRESSIONS for name in re.findall(r"tidegate_\w+", each)}
    assert {each.name for each in ALL} - shown == {"tidegate_responses_total"}


def test_counters_are_shown_as_rates():
    for expression in EXPRESSIONS:
        for name in re.findall(r"tidegate_\w+", expression):
            counts = BY_SAMPLE[name].kind in {"counter", "histogram"}
            assert bool(re.search(rf"(rate|increase)\({name}\{{", expression)) == counts


def test_panels_have_their_own_places_and_numbers():
    assert len({each["id"] for each in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for one, other in combinations((each["gridPos"] for each in DASHBOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


if __name__ == "__main__":
    first, _, last = parts_of_the_page()
    PAGE.write_text(first + BEGIN + table() + END + last, encoding="utf-8")
