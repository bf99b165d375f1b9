from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from appliance.report.schema import summary_schema
from appliance.report.summary import Summary
from tests.report import rehearsal

COMMITTED = Path(__file__).parents[2] / "docs" / "schemas" / "summary.json"


def test_the_committed_schema_is_the_models() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    assert json.loads(text) == Summary.model_json_schema()
    assert text == summary_schema(), "run: python -m appliance.report.schema > docs/schemas/summary.json"


def test_a_summary_keeps_to_the_schema() -> None:
    jsonschema.validate(json.loads(rehearsal.summary().model_dump_json()), json.loads(summary_schema()))
