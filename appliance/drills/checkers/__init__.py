"""What became of every record: pure functions on the ledger, one file per kind of damage.

    lost          acknowledged, and absent from the surviving log
    duplicated    extra copies in the surviving log
    reordered     behind a later record of the same producer and partition, in the surviving log or to a consumer
    altered       other content than was sent; or stored or delivered though nobody sent it
    redelivered   got again by a consumer that had it
    skipped       in the surviving log, and never got by a consumer
    indeterminate neither acknowledged nor certainly refused: reported, never judged a loss

Each takes a `History` (the ledger, and the surviving cluster's log in order) and gives `Findings`: counts
per client and partition with some ids. They are themselves tested by damage:
`tests/drills/test_checkers_damage.py`.
"""

from appliance.drills.checkers.altered import altered
from appliance.drills.checkers.duplicated import duplicated
from appliance.drills.checkers.findings import SAMPLES, Finding, Findings, Place
from appliance.drills.checkers.history import History
from appliance.drills.checkers.indeterminate import indeterminate
from appliance.drills.checkers.lost import lost
from appliance.drills.checkers.redelivered import redelivered
from appliance.drills.checkers.reordered import reordered
from appliance.drills.checkers.results import Results, check
from appliance.drills.checkers.skipped import skipped

__all__ = [
    "SAMPLES",
    "Finding",
    "Findings",
    "History",
    "Place",
    "Results",
    "altered",
    "check",
    "duplicated",
    "indeterminate",
    "lost",
    "redelivered",
    "reordered",
    "skipped",
]
