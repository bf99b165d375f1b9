"""From a file to a `Scenario`, with everything that is wrong with it listed at once."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.drills.scenario.model import Scenario
from appliance.drills.scenario.references import reference_problems
from appliance.resources.documents import Invalid, Problem, check, parse_documents


def load_scenario(path: Path) -> tuple[Scenario, str]:
    """Return the scenario of a file, and the file's text, whose SHA-256 names it in the record.

    Raises Invalid with all problems, each with file, line and path.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid([Problem(str(path), 1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise Invalid(
            [Problem(str(path), 1, "", f"is not UTF-8 text: {error.reason} at byte {error.start}")]
        ) from error
    return parse_scenario(text, str(path)), text


def parse_scenario(text: str, source: str) -> Scenario:
    """Return the scenario of a text; `source` is what problems call it. Raises Invalid with all problems."""
    documents = parse_documents(text, source)
    if len(documents) != 1:
        raise Invalid([Problem(source, 1, "", f"expected one scenario in a file, found {len(documents)} documents")])
    document = documents[0]
    problems: list[Problem] = []
    scenario = None
    try:
        scenario = check(document, Scenario)
    except Invalid as error:
        problems += error.problems
    problems += reference_problems(document)
    if scenario is None or problems:
        raise Invalid(sorted(problems, key=lambda problem: problem.line))
    return scenario


def scenario_schema() -> str:
    """Return the JSON Schema of what a user writes, as it is committed in `docs/schemas/scenario.json`."""
    return json.dumps(Scenario.model_json_schema(mode="serialization"), indent=2) + "\n"
