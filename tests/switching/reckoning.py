"""From what clients told and what the logs hold to rows: pure. The drills' checkers count.

A value is unique and ends in `-N`, N counting from 0 per producer: the drills' ids and sequence numbers. A record that
was told as failed may be in the log or not; one that nobody told of (under way when the logs were read) too. What was
found already after the switchover before is not counted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from appliance.drills.checkers import Findings, History, duplicated, lost, redelivered, reordered, skipped
from appliance.drills.ledger import Delivery, RecordLedger, Stored, Write
from appliance.drills.recovery import recoveries
from appliance.journal.events import ClientError, ClientStarted, Event, PhaseEnded, PhaseStarted, SwitchoverProgressed
from appliance.report.summary import Recovery
from tests.matrix.standing import Mode
from tests.switching.acts import Account, Act, Logs
from tests.switching.bars import broken
from tests.switching.front import Remedies
from tests.switching.rows import Row

SERVING, LEFT = "serving", "left"


def rows(accounts: Sequence[Account], acts: Sequence[Act], remedies: Remedies) -> list[Row]:
    """Return a row per act and client."""
    found = []
    before: Mapping[str, _Counts] = {}
    for act in acts:
        now = _counts(accounts, act)
        back = _recoveries(accounts, act)
        for account in accounts:
            new = now[account.name].beyond(before.get(account.name, _Counts()))
            found.append(_row(account, act, remedies, new, back[account.name]))
        before = now
    return found


@dataclass(frozen=True)
class _Counts:
    lost: int = 0
    unreplicated: int = 0
    duplicated: int = 0
    skipped: int = 0
    redelivered: int = 0
    out_of_order: int = 0

    def beyond(self, before: _Counts) -> _Counts:
        """Return what came since."""
        return _Counts(*(max(0, getattr(self, name) - getattr(before, name)) for name in _Counts.__dataclass_fields__))


def _row(account: Account, act: Act, remedies: Remedies, new: _Counts, back: Recovery) -> Row:
    errors = _errors(account, act)
    row = Row(
        client=account.client,
        version=account.version,
        remedies=remedies,
        act=act.name,
        mode=account.mode,
        first_success=back.first_success_seconds,
        stable=back.stable_seconds,
        looked_at=act.ends - act.touches(account.mode),
        lost=new.lost,
        unreplicated=new.unreplicated,
        duplicated=new.duplicated,
        skipped=new.skipped,
        redelivered=new.redelivered,
        redelivered_committed=_redelivered_committed(account, act),
        out_of_order=new.out_of_order,
        errors=len(errors),
        said="; ".join(f"{text} ({count})" for text, count in Counter(errors).most_common(3)),
        ended=act.ended.get(account.name, ""),
    )
    return row.model_copy(update={"broken": broken(row)})


def _counts(accounts: Sequence[Account], act: Act) -> dict[str, _Counts]:
    """Count everything from the beginning to this act."""
    ledger = _ledger(accounts, act)
    history = History.of(ledger, SERVING)
    found = {
        name: _by_client(findings)
        for name, findings in {
            "lost": lost(history),
            "duplicated": duplicated(history),
            "skipped": skipped(history),
            "redelivered": redelivered(history),
            "out_of_order": reordered(history),
        }.items()
    }
    missing = _unreplicated(ledger)
    counts = {}
    for account in accounts:
        mine = {name: counted[account.name] for name, counted in found.items()}
        counts[account.name] = _Counts(unreplicated=missing[account.name], **mine)
    return counts


def _by_client(findings: Findings) -> Counter[str]:
    counted: Counter[str] = Counter()
    for each in findings:
        counted[each.place.client] += each.count
    return counted


def _ledger(accounts: Sequence[Account], act: Act) -> RecordLedger:
    ledger = RecordLedger(stored=[*_stored(SERVING, act.serving), *_stored(LEFT, act.left)])
    partitions = {row.id: row.partition for row in reversed(ledger.stored)}
    for account in accounts:
        if account.mode.produces:
            ledger.writes.extend(_writes(account, act, partitions))
        else:
            ledger.deliveries.extend(_deliveries(account, act, partitions))
    told = {write.id for write in ledger.writes}
    producers = {account.name for account in accounts if account.mode.produces}
    for row in {row.id: row for row in ledger.stored}.values():
        if row.id not in told and (author := row.id.rpartition("-")[0]) in producers:
            ledger.writes.append(_write(author, row.topic, row.partition, row.id, act.ends, "", None))
    ledger.deliveries.sort(key=lambda each: each.at)
    return ledger


def _stored(cluster: str, logs: Logs) -> Iterable[Stored]:
    return (
        Stored(cluster, topic, each.partition, each.offset, each.value, "")
        for topic, written in logs.items()
        for each in written
    )


def _writes(account: Account, act: Act, partitions: Mapping[str, int]) -> Iterable[Write]:
    answers = [each for each in account.events if each.event in {"acked", "failed"} and each.at <= act.ends]
    for each in answers:
        # Where the library does not say, its record is looked for; one that is nowhere is missing in any partition.
        partition = each.partition if each.partition >= 0 else partitions.get(each.value, 0)
        offset = each.offset if each.event == "acked" else None
        yield _write(account.name, account.topic, partition, each.value, each.at, each.text, offset)


def _write(client: str, topic: str, partition: int, value: str, at: float, error: str, offset: int | None) -> Write:
    return Write(
        client=client,
        topic=topic,
        partition=partition,
        seq=int(value.rpartition("-")[2]),
        id=value,
        digest="",
        sent=at,
        done=at,
        outcome="indeterminate" if offset is None else "acknowledged",
        offset=offset,
        error=error,
    )


def _deliveries(account: Account, act: Act, partitions: Mapping[str, int]) -> Iterable[Delivery]:
    for each in account.events:
        if each.event == "delivered" and each.at <= act.settled:
            partition = each.partition if each.partition >= 0 else partitions.get(each.value, 0)
            yield Delivery(account.name, account.topic, partition, each.offset, each.value, each.at)


def _unreplicated(ledger: RecordLedger) -> Counter[str]:
    """Count acknowledged records that only the cluster has that served before, by the logs alone."""
    held = {row.id for row in ledger.stored if row.cluster == SERVING}
    only_left = {row.id for row in ledger.stored if row.cluster == LEFT} - held
    return Counter(write.client for write in ledger.writes if write.outcome == "acknowledged" and write.id in only_left)


def _redelivered_committed(account: Account, act: Act) -> int:
    """Count what a reader got again since the switch though its group need not have: all but what was delivered before
    the switch and not committed."""
    if account.mode.produces:
        return 0
    committed = act.committed.get(account.name, {})
    may_come_again = {
        each.value
        for each in act.left.get(account.topic, ())
        if account.mode.in_group and each.offset >= committed.get(each.partition, 0)
    }
    had: set[str] = set()
    count = 0
    for each in account.events:
        if each.event != "delivered" or each.at > act.settled:
            continue
        if each.value in had and each.at > act.touched:
            if each.value in may_come_again:
                may_come_again.discard(each.value)
            else:
                count += 1
        had.add(each.value)
    return count


def _errors(account: Account, act: Act) -> list[str]:
    return [
        _in_short(each.text)
        for each in account.events
        if each.event in {"failed", "error"} and act.begins <= each.at <= act.settled
    ]


def _in_short(text: str) -> str:
    return " ".join(text.split())[:120]


def _recoveries(accounts: Sequence[Account], act: Act) -> dict[str, Recovery]:
    """Return how each came back from this act."""
    found: dict[str, Recovery] = {}
    for touched in {act.ending, act.touched}:
        found |= _recoveries_since(touched, [each for each in accounts if act.touches(each.mode) == touched], act)
    return found


def _recoveries_since(touched: float, accounts: Sequence[Account], act: Act) -> dict[str, Recovery]:
    """Return how each came back: in the partition in which that took longest, for one that stands still would not be
    seen among the others. A transaction is acknowledged as a whole, and one that has nothing for a partition says
    nothing about it.

    Everybody is taken for a reader of a topic of its own: what a producer has in hand is not told, so that its silence
    would be taken for idleness.
    """
    events: list[Event] = [PhaseStarted(at=act.begins, phase="baseline")]
    ledger = RecordLedger()
    series: dict[str, set[str]] = {account.name: set() for account in accounts}
    for account in accounts:
        within = [each for each in account.events if act.begins <= each.at <= act.ends]
        for each in within:
            if each.event in {"acked", "delivered"}:
                whole = account.mode is Mode.TRANSACTIONAL
                name = account.name if whole else f"{account.name}/{each.partition}"
                series[account.name].add(name)
                ledger.deliveries.append(Delivery(name, name, 0, each.offset, each.value, each.at))
        names = series[account.name] = series[account.name] or {account.name}
        failures = {"failed"} if account.mode.produces else {"failed", "error"}
        for name in names:
            events.append(
                ClientStarted(at=act.begins, client=name, role="group-consumer", topic=name, detail=account.client)
            )
            events += [
                ClientError(at=each.at, client=name, error=each.text) for each in within if each.event in failures
            ]
    for state, at in (("fence", touched), ("switch", act.switched)):
        events.append(SwitchoverProgressed(at=at, virtual_cluster="matrix", state=state))
    events.append(PhaseEnded(at=act.ends, phase="settle", ok=True))
    found = {each.client: each.as_recovery() for each in recoveries(events, ledger)}
    return {name: max((found[each] for each in its), key=_how_long) for name, its in series.items()}


def _how_long(back: Recovery) -> tuple[float, float]:
    times = (back.stable_seconds, back.first_success_seconds)
    stable, first = (inf if each is None else each for each in times)
    return stable, first
