"""All checkers at once."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.drills.checkers.altered import altered
from appliance.drills.checkers.duplicated import duplicated
from appliance.drills.checkers.findings import Findings, Place
from appliance.drills.checkers.history import History
from appliance.drills.checkers.indeterminate import indeterminate
from appliance.drills.checkers.lost import lost
from appliance.drills.checkers.redelivered import redelivered
from appliance.drills.checkers.reordered import reordered
from appliance.drills.checkers.skipped import skipped


@dataclass(frozen=True)
class Results:
    """What all checkers say of one history. Producers' damage stands with the producer, consumers' with the
    reader.
    """

    acknowledged: dict[Place, int]
    lost: Findings
    duplicated: Findings
    reordered: Findings
    redelivered: Findings
    skipped: Findings
    altered: Findings
    indeterminate: Findings
    indeterminate_found: int

    def of(self, kind: str) -> Findings:
        """Return one checker's findings by its name: `lost`, `duplicated`, ..."""
        findings = getattr(self, kind)
        assert isinstance(findings, Findings)
        return findings


def check(history: History) -> Results:
    """Run every checker on a history."""
    acknowledged: dict[Place, int] = {}
    for write in history.ledger.writes:
        if write.outcome == "acknowledged":
            place = Place(write.client, write.topic, write.partition)
            acknowledged[place] = acknowledged.get(place, 0) + 1
    unclear, found = indeterminate(history)
    return Results(
        acknowledged=acknowledged,
        lost=lost(history),
        duplicated=duplicated(history),
        reordered=reordered(history),
        redelivered=redelivered(history),
        skipped=skipped(history),
        altered=altered(history),
        indeterminate=unclear,
        indeterminate_found=found,
    )
