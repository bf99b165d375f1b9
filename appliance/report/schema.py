"""The JSON Schema of `summary.json`, for those who read it with other tools.

python -m appliance.report.schema > docs/schemas/summary.json
"""

from __future__ import annotations

import json
import sys

from appliance.report.summary import Summary


def summary_schema() -> str:
    """Return the schema as the text of `docs/schemas/summary.json`."""
    return json.dumps(Summary.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(summary_schema())
