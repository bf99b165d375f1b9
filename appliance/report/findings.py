"""What there is to say of records: whether anything is known, whether all is clean, and which partitions are not."""

from __future__ import annotations

from appliance.journal.events import Event, FinalRead
from appliance.report.summary import Ledger, PartitionIntegrity, Summary

WORST_FIRST = ("lost", "altered", "duplicated", "reordered", "skipped", "redelivered", "indeterminate")
"""What may be wrong with records, in the order of how much it hurts; names of both models' fields."""


def is_clean(ledger: Ledger) -> bool:
    """Tell whether no record met with anything but the usual fate."""
    return not any(getattr(ledger, name) for name in WORST_FIRST)


def was_read(summary: Summary, events: list[Event]) -> bool:
    """Tell whether the surviving cluster's log was read at the end: without that nothing is known of loss."""
    return any(isinstance(each, FinalRead) and each.cluster == summary.surviving_cluster for each in events)


def findings(summary: Summary) -> list[PartitionIntegrity]:
    """Return the rows that are not clean, the worst first."""
    telling = [each for each in summary.partitions if any(_counts(each)) or each.samples]
    return sorted(telling, key=lambda each: ([-count for count in _counts(each)], each.client, each.partition))


def _counts(each: PartitionIntegrity) -> list[int]:
    return [getattr(each, name) for name in WORST_FIRST]
