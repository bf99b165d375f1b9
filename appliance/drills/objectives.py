"""One objective against the evidence: kept, missed, or neither proven.

A miss needs proof only: three lost records are above 0 however little else is known. A pass needs
everything: traffic, every log read to its end, every client seen to come back. What has neither is
inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Literal

from appliance.drills.checkers import Finding, Results
from appliance.drills.recovery import ClientRecovery
from appliance.drills.scenario import Objective, RecordsObjective, RecoveryObjective
from appliance.report.summary import Objective as Judged

Outcome = Literal["pass", "fail", "inconclusive"]

_PLACES_NAMED = 5
_CONSUMERS_METRICS = ("redelivered.records", "skipped.records")
_ANYONES_METRICS = ("reordered.records",)


@dataclass(frozen=True)
class Evidence:
    """What objectives are judged by."""

    results: Results
    recoveries: Sequence[ClientRecovery]
    traffic: Mapping[str, int]
    """Client -> records acknowledged to it, or delivered to it; every client of the scenario is here."""
    producers: frozenset[str]
    readers: Mapping[str, str]
    """Consumer -> the reader that it is part of, for groups with several members."""
    unknown: Sequence[str]
    """What the final read should have said and did not, for people; empty where every log was read to its
    end.
    """

    def matches(self, glob: str, client: str) -> bool:
        """Return whether a glob names a client, or a member of the group that is one reader."""
        members = [each for each, reader in self.readers.items() if reader == client] or [client]
        return any(fnmatchcase(each, glob) for each in (client, *members))

    def rows(self, metric: str, glob: str) -> list[Finding]:
        """Return what a metric's checker found for these clients."""
        return [row for row in self.results.of(metric.partition(".")[0]) if self.matches(glob, row.place.client)]


@dataclass(frozen=True)
class Judgement:
    """An objective's row of the summary, and the sentence that says why it is not a pass."""

    row: Judged
    reason: str


def judge_objective(objective: Objective, evidence: Evidence) -> Judgement:
    """Judge one objective."""
    if isinstance(objective, RecordsObjective):
        return _judge_records(objective, evidence)
    return _judge_recovery(objective, evidence)


def places(rows: Iterable[Finding]) -> str:
    """Return where records are, the most first: `careless in orders/3 (12), canary in orders/0 (1)`."""
    ranked = sorted(rows, key=lambda row: (-row.count, row.place))
    named = ", ".join(f"{row.place} ({row.count})" for row in islice(ranked, _PLACES_NAMED))
    more = len(ranked) - _PLACES_NAMED
    return f"{named} and {more} more partitions" if more > 0 else named


def counted(count: int, kind: str) -> str:
    """Return `1 lost record`, `12 duplicated records`."""
    return f"{count} {kind} record{'' if count == 1 else 's'}"


def _judge_records(objective: RecordsObjective, evidence: Evidence) -> Judgement:
    kind = objective.metric.partition(".")[0]
    rows = evidence.rows(objective.metric, objective.client)
    count = sum(row.count for row in rows)
    what = counted(count, kind) + (f": {places(rows)}" if rows else "")
    doubt = _doubt(objective, evidence)
    certain_miss = any(bound is not None and count > bound for bound in (objective.le, objective.eq))
    certain_pass = objective.met(count) and objective.le is None and objective.eq is None
    if certain_miss or not (doubt or objective.met(count)):
        return _row(objective, objective.text(count), "fail", f"{what}; objective {objective.name}: {objective.target}")
    if doubt and not certain_pass:
        return _row(objective, objective.text(count), "inconclusive", f"objective {objective.name}: {doubt}")
    return _row(objective, objective.text(count), "pass", places(rows))


def _doubt(objective: RecordsObjective, evidence: Evidence) -> str:
    named = [name for name in evidence.traffic if fnmatchcase(name, objective.client)]
    consumers = objective.metric in _CONSUMERS_METRICS
    if objective.metric in _ANYONES_METRICS:
        consumers = not any(name in evidence.producers for name in named)
    concerned = [name for name in named if (name not in evidence.producers) == consumers]
    if not any(evidence.traffic[name] for name in concerned):
        had = "was delivered to" if consumers else "of its was acknowledged to"
        return f"no record {had} {', '.join(concerned) or objective.client}, so nothing is proven"
    if evidence.unknown and objective.metric != "indeterminate.records":
        return evidence.unknown[0]
    return ""


def _judge_recovery(objective: RecoveryObjective, evidence: Evidence) -> Judgement:
    readings = [
        reading
        for each in evidence.recoveries
        if fnmatchcase(each.client, objective.client)
        for reading in _readings(objective.metric, each)
    ]
    if not readings:
        why = "nothing disrupted the clients concerned, so no recovery was seen"
        return _row(objective, "not measured", "inconclusive", f"objective {objective.name}: {why}")
    worst = max(readings, key=lambda reading: (not reading.known, reading.seconds))
    missed = [each for each in readings if not objective.met(each.seconds) or _beyond(objective, each)]
    if missed:
        worst = max(missed, key=lambda reading: (not reading.known, reading.seconds))
        reason = f"{worst.sentence(objective)}; objective {objective.name}: {objective.target}"
        return _row(objective, worst.text(objective), "fail", reason)
    if not worst.known:
        reason = f"{worst.sentence(objective)}, and the drill ended before it could miss {objective.target}"
        return _row(objective, worst.text(objective), "inconclusive", f"objective {objective.name}: {reason}")
    return _row(objective, worst.text(objective), "pass", "")


@dataclass(frozen=True)
class _Reading:
    """One client's value; where it is not known, `seconds` is what it is certainly not below."""

    client: str
    seconds: float
    known: bool
    watched: float

    def text(self, objective: RecoveryObjective) -> str:
        if self.known:
            return f"{objective.text(self.seconds)} ({self.client})"
        return f"not within {objective.text(self.watched)} ({self.client})"

    def sentence(self, objective: RecoveryObjective) -> str:
        if objective.metric == "unavailability.longest":
            still = "" if self.known else ", and still was at the end"
            return f"{self.client} was without a success for {objective.text(self.seconds)}{still}"
        back = "stable" if objective.metric == "recovery.stable" else "successful"
        if self.known:
            return f"{self.client} was {back} again after {objective.text(self.seconds)}"
        return f"{self.client} was not {back} again within the {objective.text(self.watched)} that were watched"


def _beyond(objective: RecoveryObjective, reading: _Reading) -> bool:
    return not reading.known and objective.le is not None and reading.seconds >= objective.le


def _readings(metric: str, client: ClientRecovery) -> list[_Reading]:
    if metric == "unavailability.longest":
        return [_Reading(client.client, client.longest_gap, not client.gap_open, client.longest_gap)]
    first = metric == "recovery.first_success"
    found = []
    for each in client.episodes:
        value, above = (each.first_success, each.first_success_above) if first else (each.stable, each.stable_above)
        seconds = above if value is None else value
        found.append(_Reading(client.client, seconds, value is not None, each.first_success_above))
    return found


def _row(objective: Objective, measured: str, verdict: Outcome, reason: str) -> Judgement:
    row = Judged(
        name=objective.name,
        metric=objective.metric,
        target=objective.target,
        measured=measured,
        verdict=verdict,
        detail=reason,
    )
    return Judgement(row, "" if verdict == "pass" else reason)
