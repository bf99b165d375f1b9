"""From what was seen to what held: a list of checks. Only arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from appliance.drills.checkers import History, Results, check
from appliance.drills.checkers.findings import Findings
from appliance.drills.ledger import RecordLedger
from tests.soak.plans import CLUSTER, PARTITIONS
from tests.soak.watching import Trend


class Check(NamedTuple):
    """Something that must hold."""

    name: str
    found: str
    ok: bool


@dataclass(frozen=True)
class Kill:
    """What the connections saw when a worker was killed."""

    worker: int
    theirs: int
    """Connections of that worker."""
    broken: int
    """Those of them that broke."""
    others: int
    """Connections of other workers."""
    disturbed: int
    """Those of them that saw anything of it."""
    restarted: bool
    """Whether there were as many workers as before soon after."""
    over: float = 0.0
    """When it was over, in seconds since the load began."""


@dataclass(frozen=True)
class Evidence:
    """All that is judged."""

    ledger: RecordLedger
    readers: Mapping[str, str | None]
    """Reader -> the group that it is a member of."""
    unfinished: Sequence[str]
    """Users that did not come to an end."""
    trend: Trend | None
    descriptors: tuple[int, int]
    """Before the load and after it."""
    ended: bool = False
    """Whether the gateway ended by itself."""
    kills: Sequence[Kill] = field(default_factory=list)


def judge(evidence: Evidence) -> list[Check]:
    """Return what held and what did not."""
    groups = {client: group for client, group in evidence.readers.items() if group is not None}
    results = check(History.of(evidence.ledger, CLUSTER, readers=groups))
    checks = [*_traffic(evidence), *_records(results, set(groups.values()))]
    checks.append(
        Check("all users came to their end", ", ".join(evidence.unfinished) or "yes", not evidence.unfinished)
    )
    checks.append(Check("the gateway ran throughout", "no" if evidence.ended else "yes", not evidence.ended))
    checks.append(_memory(evidence.trend))
    before, after = evidence.descriptors
    checks.append(
        Check("file descriptors are back where they were", f"{before} before, {after} after", after <= before)
    )
    for kill in evidence.kills:
        checks += _kill(kill)
    return checks


def _traffic(evidence: Evidence) -> Iterator[Check]:
    """No traffic is never a pass: each topic was written to, each reader or group has read."""
    for topic in PARTITIONS:
        written = sum(row.topic == topic and row.outcome == "acknowledged" for row in evidence.ledger.writes)
        yield Check(f"records were written to {topic}", f"{written}", written > 0)
    got: dict[str, int] = {group or client: 0 for client, group in evidence.readers.items()}
    for row in evidence.ledger.deliveries:
        got[evidence.readers[row.client] or row.client] += 1
    idle = [reader for reader, number in got.items() if not number]
    counted = ", ".join(f"{reader} {number}" for reader, number in got.items())
    yield Check("every reader has read", counted, bool(got) and not idle)


def _records(results: Results, groups: set[str]) -> Iterator[Check]:
    for kind in ("lost", "duplicated", "reordered", "altered", "skipped"):
        findings = results.of(kind)
        yield Check(f"no record was {kind}", _words(findings), findings.count == 0)
    # A group delivers again what was not committed when a member left; whoever reads by itself has no excuse.
    alone = Findings(tuple(row for row in results.redelivered if row.place.client not in groups))
    yield Check("no record came twice to a reader without a group", _words(alone), alone.count == 0)


def _words(findings: Findings) -> str:
    if not findings.count:
        return "0"
    first = next(iter(findings))
    return f"{findings.count}, the first in {first.place}: {first.samples[0]}"


def _memory(found: Trend | None) -> Check:
    name = "memory is flat after the warm-up"
    if found is None:
        return Check(name, "too short to tell", False)
    words = f"{found.median:.0f} MB, {found.growth:+.1f} MB ({found.per_hour:+.1f} MB/h); {found.allowed:.1f} allowed"
    return Check(name, words, found.flat)


def _kill(kill: Kill) -> Iterator[Check]:
    yield Check(
        f"worker {kill.worker} was killed, and its connections broke",
        f"{kill.broken} of {kill.theirs}",
        0 < kill.theirs == kill.broken,
    )
    yield Check(
        "connections of other workers saw nothing",
        f"{kill.disturbed} of {kill.others} were disturbed",
        kill.others > 0 and kill.disturbed == 0,
    )
    yield Check("the dead worker was replaced", "yes" if kill.restarted else "no", kill.restarted)
