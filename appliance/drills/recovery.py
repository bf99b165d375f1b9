"""When each client came back: from the journal's disruptions and the ledger's times, per client.

A success is a record acknowledged to its producer or delivered to its consumer; a failure is a record
given up, or an error that the consumer saw. A gap is a silence longer than the client's own baseline
cadence explains.

Recovery counts from a disruption, but a success right after it may have been under way before: what counts
is the first success after the first *sign* of the disruption, a failure or a gap. A client that shows no
sign until the next disruption was never unstable: its recovery took as long as it paused right then, beyond
any pause of its calm time, and 0 s if it did not. With several disruptions, each is
an episode that ends when the client is back, be that after the next one has begun; the report shows the
worst.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median
from typing import Literal

from appliance.drills.ledger import RecordLedger
from appliance.journal.events import (
    ClientError,
    ClientStarted,
    Event,
    FaultArmed,
    LabActed,
    PhaseEnded,
    PhaseStarted,
    SwitchoverProgressed,
)
from appliance.report.summary import Availability, Recovery, Span

STABLE_SECONDS = 5.0
"""So long without a failure or a gap is stable."""
SHORTEST_GAP_SECONDS = 1.0
"""No silence below this is a gap, however fast the client is otherwise."""
GAP_FACTOR = 10.0
"""Above it, a gap is so many times the median interval of the baseline."""
DEGRADED_SECONDS = 0.5
"""A failure marks so much before and after it as degraded, where successes go on."""

_STATES: tuple[Literal["ok", "degraded", "down"], ...] = ("ok", "degraded", "down")
_DEGRADED, _DOWN = 1, 2


@dataclass(frozen=True, slots=True)
class Episode:
    """One disruption as one client lived through it; None means not within the time watched."""

    at: float
    first_success: float | None
    """Seconds from `at`."""
    stable: float | None
    """Seconds from `at` to the start of the first stable stretch."""
    first_success_above: float
    """What it is certainly longer than, where `first_success` is None."""
    stable_above: float
    """The same for `stable`."""


@dataclass(frozen=True, slots=True)
class ClientRecovery:
    """All that is known of one client's coming back."""

    client: str
    role: str
    episodes: tuple[Episode, ...]
    longest_gap: float
    """Seconds; with a silence that was still going on at the end, as far as it was seen."""
    gap_open: bool
    """Whether the client was silent at the end: its last gap is longer than what was seen of it."""
    successes: int
    spans: tuple[Span, ...]

    @property
    def worst(self) -> Episode | None:
        """Return the episode that took longest; None where there was no disruption."""
        return max(
            self.episodes,
            key=lambda each: (
                each.stable is None,
                each.stable_above if each.stable is None else each.stable,
                each.first_success is None,
                each.first_success or 0.0,
                -each.at,
            ),
            default=None,
        )

    def as_recovery(self) -> Recovery:
        """Return the summary's row."""
        worst = self.worst
        return Recovery(
            client=self.client,
            role=self.role,
            disrupted_at=worst.at if worst else None,
            first_success_seconds=worst.first_success if worst else None,
            stable_seconds=worst.stable if worst else None,
            longest_gap_seconds=self.longest_gap,
        )

    def as_availability(self) -> Availability:
        """Return the summary's row."""
        return Availability(client=self.client, spans=list(self.spans))


def disruptions(events: Iterable[Event]) -> list[float]:
    """Return when clients were disrupted, in order.

    Faults that disrupt, brokers killed, stopped or paused, and a switchover's fence and switch.
    """
    return sorted(
        event.at
        for event in events
        if (isinstance(event, FaultArmed) and event.disrupts)
        or (isinstance(event, LabActed) and event.action in ("kill", "stop", "pause"))
        or (isinstance(event, SwitchoverProgressed) and event.state in ("fence", "switch"))
    )


def recoveries(events: Sequence[Event], ledger: RecordLedger, *, idle: Iterable[str] = ()) -> list[ClientRecovery]:
    """Return the recovery of every client that was started, in that order.

    `idle` names producers without a rate of their own: their silence says nothing, so they are left out.
    """
    watch = _watch(events, ledger)
    moments = disruptions(events)
    left_out = set(idle)
    started = {
        event.client: event for event in events if isinstance(event, ClientStarted) and event.client not in left_out
    }
    return [_recovery(event, moments, watch) for event in started.values()]


@dataclass(frozen=True, slots=True)
class _Series:
    """One client's times, sorted; successes at one instant are one."""

    successes: list[float]
    failures: list[float]


@dataclass(frozen=True)
class _Watch:
    """How long each client was watched, and what was seen of it."""

    begin: float
    end: float
    seen: Mapping[str, _Series]
    active: Mapping[str, float]
    """Topic -> when its producers last did anything: later silence is nobody's fault."""
    wrote: Mapping[str, float]
    """Producer -> when it last did anything."""

    def series(self, client: str) -> _Series:
        return self.seen.get(client, _Series([], []))

    def begin_of(self, started: ClientStarted) -> float:
        return max(self.begin, started.at)

    def quiet_of(self, started: ClientStarted) -> float:
        """Return when the client had nothing more to do: when it, or its topic's producers, did anything for the last
        time.
        """
        at = self.wrote.get(started.client) if started.role == "producer" else self.active.get(started.topic)
        return self.end if at is None else min(self.end, at)


def _watch(events: Sequence[Event], ledger: RecordLedger) -> _Watch:
    last = max((event.at for event in events), default=0.0)
    begin = next((event.at for event in events if isinstance(event, PhaseStarted) and event.phase == "baseline"), 0.0)
    ends = [event.at for event in events if isinstance(event, PhaseEnded) and event.phase == "settle"]
    ends += [event.at for event in events if isinstance(event, PhaseStarted) and event.phase == "final-read"]
    end = min(ends, default=last)
    successes: dict[str, set[float]] = {}
    failures: dict[str, list[float]] = {}
    active: dict[str, float] = {}
    wrote: dict[str, float] = {}
    for write in ledger.writes:
        done = end if write.done is None else write.done
        if write.outcome == "acknowledged":
            successes.setdefault(write.client, set()).add(done)
        else:
            failures.setdefault(write.client, []).append(done)
        at = write.sent if write.done is None else max(write.sent, write.done)
        wrote[write.client] = max(at, wrote.get(write.client, 0.0))
        active[write.topic] = max(at, active.get(write.topic, 0.0))
    for delivery in ledger.deliveries:
        successes.setdefault(delivery.client, set()).add(delivery.at)
    for event in events:
        if isinstance(event, ClientError) and event.client not in wrote:
            failures.setdefault(event.client, []).append(event.at)
    seen = {
        client: _Series(sorted(successes.get(client, ())), sorted(failures.get(client, ())))
        for client in {*successes, *failures}
    }
    return _Watch(begin, end, seen, active, wrote)


def _recovery(started: ClientStarted, moments: Sequence[float], watch: _Watch) -> ClientRecovery:
    series, begin, quiet = watch.series(started.client), watch.begin_of(started), watch.quiet_of(started)
    end = _watched_until(series.successes, moments, begin, quiet, watch.end)
    successes = [at for at in series.successes if begin <= at <= end]
    failures = [at for at in series.failures if begin <= at <= end]
    mine = [at for at in moments if begin <= at <= end]
    calm = [at for at in successes if at <= (mine[0] if mine else end)]
    limit = _gap_limit(calm)
    gaps = _gaps(successes, limit, begin, end)
    intervals = [later - earlier for earlier, later in pairwise(successes)]
    owners = [_owner(since, mine, limit / 2) for since, _ in gaps]
    seen = _Seen(successes, failures, gaps, owners, end, limit / 2, _longest_pause(calm))
    gap_open = bool(gaps) and gaps[-1][1] == end and (not successes or successes[-1] < end)
    return ClientRecovery(
        client=started.client,
        role=started.role,
        episodes=tuple(seen.episode(at, until) for at, until in pairwise([*mine, end])),
        longest_gap=max([*intervals, *(to - since for since, to in gaps)], default=0.0),
        gap_open=gap_open,
        successes=len(successes),
        spans=tuple(_spans(failures, gaps, successes[0] if successes else begin, end)),
    )


def _watched_until(
    successes: Sequence[float], moments: Sequence[float], begin: float, quiet: float, end: float
) -> float:
    """Return how far the client's silences say something.

    One that is at work when there is nothing more to do is watched until then: what it does while it winds up (a
    reader asks where the logs end before it takes the last records) is no silence of the system's. One that is silent
    then is waited for.
    """
    known = [at for at in successes if begin <= at <= end]
    first = min((at for at in moments if begin <= at <= quiet), default=quiet)
    limit = _gap_limit([at for at in known if at <= first])
    place = bisect_right(known, quiet)
    if place and quiet - known[place - 1] <= limit:
        return quiet
    return max(quiet, known[-1] if known else 0.0)


def _gap_limit(calm: Sequence[float]) -> float:
    """Return the silence in seconds that is still the client's own cadence, from its successes in calm."""
    if len(calm) < 3:
        return SHORTEST_GAP_SECONDS
    cadence = median(later - earlier for earlier, later in pairwise(calm))
    return max(SHORTEST_GAP_SECONDS, GAP_FACTOR * cadence)


def _longest_pause(calm: Sequence[float]) -> float:
    """Return the longest time between two successes in calm; without any, no pause is unusual."""
    return max((later - earlier for earlier, later in pairwise(calm)), default=inf)


def _gaps(successes: Sequence[float], limit: float, begin: float, end: float) -> list[tuple[float, float]]:
    """Return the silences above the limit, the one that goes on at the end included."""
    if not successes:
        return [(begin, end)] if end - begin > limit else []
    return [(since, to) for since, to in zip(successes, [*successes[1:], end], strict=True) if to - since > limit]


def _owner(since: float, moments: Sequence[float], slack: float) -> float | None:
    """Return the disruption that a gap is a sign of; None where it began before any.

    A gap begins with the last success, a little before or after what ended the successes; so the earliest
    disruption close to it is the one, and else the last before it.
    """
    close = next((at for at in moments if abs(at - since) <= slack), None)
    return close if close is not None else max((at for at in moments if at <= since), default=None)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of one client until `end`, all sorted."""

    successes: Sequence[float]
    failures: Sequence[float]
    gaps: Sequence[tuple[float, float]]
    owners: Sequence[float | None]
    """The disruption that each gap is a sign of; a gap that lasts into a later one is a sign of that too."""
    end: float
    slack: float
    """How far from a disruption a pause may begin and still be due to it."""
    usual: float
    """The longest pause in calm."""

    def episode(self, at: float, until: float) -> Episode:
        """Measure one disruption; a failure is a sign of it until the next one, at `until`."""
        signs = [
            max(since, at)
            for (since, to), owner in zip(self.gaps, self.owners, strict=True)
            if owner == at or since <= at < to
        ]
        index = bisect_left(self.failures, at)
        if index < len(self.failures) and self.failures[index] < until:
            signs.append(self.failures[index])
        if not signs:
            pause = self.pause(at)
            return Episode(at, pause, pause, 0.0, 0.0)
        sign = min(signs)
        index = bisect_right(self.successes, sign)
        first = self.successes[index] - at if index < len(self.successes) else None
        stable = self.first_stable(sign)
        return Episode(
            at=at,
            first_success=first,
            stable=None if stable is None else stable - at,
            first_success_above=max(0.0, self.end - at),
            stable_above=max(0.0, self.end - STABLE_SECONDS - at),
        )

    def pause(self, at: float) -> float:
        """Return how long after `at` the pause ended that began around it; 0 where there was no unusual one."""
        first = max(bisect_left(self.successes, at - self.slack) - 1, 0)
        last = bisect_right(self.successes, at + self.slack)
        around = pairwise(self.successes[first : last + 1])
        since, to = max(around, key=lambda each: each[1] - each[0], default=(at, at))
        return max(to - at, 0.0) if to - since > self.usual else 0.0

    def first_stable(self, since: float) -> float | None:
        """Return the first success after `since` that begins a stretch without a failure or a gap."""
        gap_starts = [start for start, _ in self.gaps]
        index = bisect_right(self.successes, since)
        while index < len(self.successes):
            start = self.successes[index]
            if start + STABLE_SECONDS > self.end:
                return None
            troubles = []
            for moments in (self.failures, gap_starts):
                place = bisect_left(moments, start)
                if place < len(moments) and moments[place] < start + STABLE_SECONDS:
                    troubles.append(moments[place])
            if not troubles:
                return start
            index = max(index + 1, bisect_right(self.successes, max(troubles)))
        return None


def _spans(failures: Sequence[float], gaps: Sequence[tuple[float, float]], begin: float, end: float) -> list[Span]:
    """Cut the time watched into stretches: down in a gap, degraded around failures, ok otherwise."""
    marks = [(since, to, _DOWN) for since, to in gaps]
    marks += [(at - DEGRADED_SECONDS, at + DEGRADED_SECONDS, _DEGRADED) for at in failures]
    marks.sort()
    edges = sorted({begin, end, *(edge for since, to, _ in marks for edge in (since, to) if begin < edge < end)})
    spans: list[Span] = []
    over: list[tuple[float, int]] = []
    place = 0
    for since, to in pairwise(edges):
        while place < len(marks) and marks[place][0] <= since:
            over.append((marks[place][1], marks[place][2]))
            place += 1
        over = [each for each in over if each[0] > since]
        state = _STATES[max((level for _, level in over), default=0)]
        if spans and spans[-1].state == state:
            spans[-1] = Span(start=spans[-1].start, end=to, state=state)
        else:
            spans.append(Span(start=since, end=to, state=state))
    return spans
