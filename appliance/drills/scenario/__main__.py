"""Print the JSON Schema of a scenario: `python -m appliance.drills.scenario > docs/schemas/scenario.json`."""

import sys

from appliance.drills.scenario.loading import scenario_schema

sys.stdout.write(scenario_schema())
