"""`docs/switchover.md`, written by the run itself: what was done, what was found, what each hazard is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.matrix.running import ROOT
from tests.switching.acts import ActName
from tests.switching.bars import RECOVERY_SECONDS
from tests.switching.front import Remedies
from tests.switching.missed import missed_bars
from tests.switching.play import CALM_SECONDS, PACE, UNREPLICATED_SECONDS
from tests.switching.rows import Row, Switched

PAGE = ROOT / "docs" / "switchover.md"
_TITLES: Mapping[tuple[Remedies, ActName], str] = {
    ("on", "planned"): "A planned switch",
    ("on", "failback"): "The way back",
    ("on", "unplanned"): "The cluster that serves is lost",
    ("off", "planned"): "For comparison: a planned switch without the remedies",
    ("off", "unplanned"): "For comparison: the cluster is lost, without the remedies",
    ("rebootstrap", "planned"): "For comparison: a planned switch in which clients are told to start over",
}
_HEAD = ("client", "doing", "first", "stable", "lost", "twice", "skipped", "again", "disorder", "errors", "held")
_MEANINGS: Mapping[str, str] = {
    "doing": (
        "a streams application is a topology of Kafka Streams with a state store, at least once; a sink connector is a "
        "task in a standalone worker of Kafka Connect. Both read what kafka-clients 4.3.1 writes; delivered is what "
        "the topology or the task has got. Producers of kafka-clients that are not idempotent have one request in "
        "flight, as its documentation wants it for those who need order (see the hazards). A new group does not wait "
        "for more members here, a streams group neither (`group.streams.initial.rebalance.delay.ms`: 3 s by default)"
    ),
    "first, stable": (
        "from the moment that the switch touches this client (writes are held; for a transactional producer: no "
        "transaction begins any more; or the cluster is gone): until the first success, and until the start of five "
        "seconds without an error or a gap, in the partition in which that took longest (a transaction counts as a "
        "whole). 0.0 s: no gap longer than its usual"
    ),
    "lost": (
        "acknowledged, and not in the log of the cluster that serves now; `5 of 6`: of so many that replication had "
        "not carried"
    ),
    "twice": "extra copies in that log",
    "skipped": "in that log, and never delivered to this consumer",
    "again": (
        "delivered more than once; in brackets: those that its group had committed, or that were written after the "
        "switch"
    ),
    "disorder": "in the log, or delivered, behind a later record of the same producer and partition",
    "errors": "that the application was told of",
    "held": (
        "whether everything held that must: nothing lost, twice, skipped or out of order; again only what was not "
        f"committed; stable within {RECOVERY_SECONDS:g} s (longer than the heartbeat interval of any library here). "
        "When the cluster is lost: nothing lost but what replication had not carried, by the account of both logs; "
        "nothing skipped or out of order"
    ),
}
_HAZARDS = """\
**Producer ids collide.** Every cluster hands out producer ids from 0, and a broker does not check that an id was
allocated by it. An idempotent producer that lives through a switch can meet a younger one with the same id; the broker
then takes the younger one's batches for duplicates, acknowledges them and appends nothing. Nobody sees an error. It
takes two producers, one from each side, on one partition, so the tables above rarely show it;
`scenarios/producer-identity-untagged.yaml` does, with records that were acknowledged and are absent. Remedy, on by
default: `producer_ids: tagged`.

**A classic group reads at its old offsets.** A consumer keeps its position in memory until its coordinator disowns it,
a heartbeat away. Meanwhile it reads the new cluster's log at the old cluster's offsets: records come twice, out of
order, or not at all. Remedy, on by default: `remedies.hold_fetch`: its Fetch finds nothing new until its group has
asked for its offsets again.

**A group of the new protocol (KIP-848) dies.** The new coordinator says GROUP_ID_NOT_FOUND, which librdkafka takes for
fatal. Remedy, on by default: `remedies.rejoin`: a member that had joined before is told UNKNOWN_MEMBER_ID, and
joins. It hears of that when it sends its next heartbeat: after five seconds if the coordinator has its way, after two
with `remedies.heartbeats`.

**A consumer without a group skips, or reads everything again.** Nobody tells it that offsets mean something else
now. In range of the new log it goes on at a wrong record; out of range its reset policy strikes. Remedy: `offsets:
continuous`: clients see the offsets of the cluster that served first, for ever.

**Writes that were under way are sent again.** A producer whose connection closes tries again after its back-off, and
one that is not idempotent may change the order of several requests. Remedy, on by default: `remedies.held_writes`: a
connection with held writes is not closed at the switch; the gateway has them written by the new leaders, answers, and
closes it when its client waits for nothing.

**A producer of kafka-clients that is not idempotent reverses what it sends again.** With several requests in flight
(its default is five; its documentation says so) those that were under way on a connection that breaks go back to the
front of its queue one by one, the latest last. That needs no gateway and no switch: a broker that dies is enough
(`tests/switching/test_without_gateway.py` shows it, and that one request in flight keeps the order). A planned switch
spares it the break by the remedy above; a cluster that is lost breaks every connection. Remedy, the producer's own: let
it be idempotent, as it is by default since 3.0, or `max.in.flight.requests.per.connection=1`.

**A group's offsets come over late.** MirrorMaker syncs them at an interval, and only if told to. Remedy, on by default:
`remedies.group_offsets`: a planned switch writes them itself, at the place of each record on the new side.
When the cluster is lost only MirrorMaker's are there. It leaves out streams groups, and those of Connect's sinks unless
its `groups.exclude` is changed (`connect-.*` is in it): they read on where they last were on that side, or everything.

**What was delivered and not committed is delivered again**, as after any restart. Commit more often to see less of it.

**What replication had not carried is lost with its cluster.** No gateway can mend that: watch the lag, and give a
`FailoverPolicy` an `rpo`. Writes that had no answer may be on the lost cluster or not; a producer that sends them again
may write them twice, if they had been carried over.

**Transactions** that are open at a planned switch go on to their end first. When the cluster is lost, the producer is
told at its next step (TRANSACTION_ABORTABLE or INVALID_PRODUCER_ID_MAPPING), aborts and goes on; some libraries want a
new producer for that. Their markers make the offsets of both sides differ by more and more, also where nothing was ever
deleted."""


_REBOOTSTRAP = """\
With the remedies on, and all these clients named in the virtual cluster's `rebootstrap`: REBOOTSTRAP_REQUIRED
(KIP-1102) is what they hear when they ask for Metadata while they are moved. They forget all brokers and come back by
their bootstrap addresses. The gateway said it {times} times. What this table has over the first is what they gain by
it. Here are the clients that do as they are told and ask for Metadata on a connection that is about to be closed;
librdkafka has none left to ask on when that to its only broker goes. All others of their language were at work beside
them, as in the first table."""


def write(found: Switched) -> Path:
    """Write the page; return where."""
    PAGE.write_text(text(found), encoding="utf-8")
    return PAGE


def text(found: Switched) -> str:
    """Return the page."""
    around = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    sections = "\n\n".join(
        section for (remedies, act), title in _TITLES.items() if (section := _section(found, remedies, act, title))
    )
    return f"""# What a switchover does to each client

<!-- Written by `make switch-matrix`; do not edit. -->

Each client, unmodified, beneath which the cluster was switched while it was at work: {_summary(found)}
Run on {found.started:%Y-%m-%d}, revision {found.revision}, in {found.minutes:.0f} minutes; {around}.
{_machine(found)}

Two Apache Kafka clusters with MirrorMaker 2 between them; the standby's offsets are lower than the primary's (records
that had expired before the mirror began). Producers write a record every {PACE} ms or slower, consumers commit every
second, with each library's own defaults otherwise. With the remedies on (`offsets: continuous` is one), the same
processes live through all three switchovers. What is lost, and what is there twice, comes from both clusters'
logs, read around the gateway.

{_table(("column", "meaning"), _MEANINGS.items())}

{sections}

{missed_bars(found.rows)}## The hazards

{_HAZARDS}

## Not run

{_list([f"{name}: {why}" for name, why in found.not_run.items()]) or "Every client was run that can be."}
{_troubles(found)}
## Repeat it

    make switch-matrix
    make switch-matrix CLIENTS=franz-go,confluent-kafka

A client needs what it needs for [`make clients`](clients.md). Before a switch all are watched for {CALM_SECONDS:g} s,
to know what is usual. Before the cluster is killed the mirror stands for {UNREPLICATED_SECONDS:g} s, so that there is
something to lose.
"""


def _summary(found: Switched) -> str:
    judged = [row for row in found.rows if row.remedies == "on"]
    held = sum(not row.broken for row in judged)
    return f"with the remedies on, {held} of {len(judged)} rows held all that must."


def _machine(found: Switched) -> str:
    if not found.load:
        return ""
    return (
        f"Clusters, mirror, gateway and clients shared {found.cores} cores with others (load average up to "
        f"{found.load:.0f}): times are longer than where each has its own, and bars of time are missed for it.\n"
    )


def _section(found: Switched, remedies: Remedies, act: ActName, title: str) -> str:
    rows = [row for row in found.rows if (row.remedies, row.act) == (remedies, act)]
    if not rows:
        return ""
    table = _table(_HEAD, [_cells(row) for row in rows])
    notes = _list([note for row in rows if (note := _note(row))])
    told = _REBOOTSTRAP.format(times=found.rebootstraps) if remedies == "rebootstrap" else ""
    return "\n\n".join(filter(None, [f"## {title}", told, table, notes]))


def _cells(row: Row) -> list[str]:
    again = f"{row.redelivered} ({row.redelivered_committed})" if row.redelivered else "0"
    lost = f"{row.lost} of {row.unreplicated}" if row.act == "unplanned" and row.lost else str(row.lost)
    counts = [lost, row.duplicated, row.skipped, again, row.out_of_order, row.errors]
    held = "**no**" if row.broken else "yes"
    times = [_seconds(row.first_success, row), _seconds(row.stable, row)]
    return [
        f"{row.client} {row.version}" if row.version not in row.client else row.client,
        row.mode,
        *times,
        *map(str, counts),
        held,
    ]


def _seconds(found: float | None, row: Row) -> str:
    return f"not in {row.looked_at:.0f} s" if found is None else f"{found:.1f} s"


def _note(row: Row) -> str:
    said = [", ".join(row.broken)] if row.broken else []
    said += [f"the application was told: {row.said}"] if row.said else []
    return f"{row.client}, {row.mode}: {'; '.join(map(_plain, said))}" if said else ""


def _troubles(found: Switched) -> str:
    said = [f"a switchover did not take place: {each}" for each in found.spoiled]
    said += [f"a client had to be killed at the end, remedies {remedies}: {each}" for remedies, each in found.stayed]
    said += [f"the gateway logged an error of its own: {each}" for each in found.complaints]
    return f"\n## What else went wrong\n\n{_list(said)}\n" if said else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * 2 + [":-:"] * (len(head) - 2), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """One line that Markdown leaves alone."""
    return " ".join(text.split()).replace("|", "/").replace("<", "(").replace(">", ")")
