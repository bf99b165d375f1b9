"""From a run record to what people and machines read: `index.html`, `junit.xml`, `summary.json`.

Works from the files of a run directory alone; knows neither Kafka nor the gateway, opens no socket and waits for
nothing. `summary` is the verdict in numbers (its JSON Schema is `docs/schemas/summary.json`), made by `drills` and
only rendered here. `record` reads a directory and checks that its files belong together; `html` and `junit` render
it, with the sentences of `narrative` and `chronicle` and the picture of `timeline`; `rendering` writes both files.
"""

from appliance.report.errors import MissingFileError, ReportError, UnreadableSummaryError
from appliance.report.rendering import write_reports

__all__ = ["MissingFileError", "ReportError", "UnreadableSummaryError", "write_reports"]
