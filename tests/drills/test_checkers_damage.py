"""The checkers are tested by damage: a clean record is green, and each kind of damage turns it red.

A clean record has several producers, partitions and consumers, records retried inside the library (sent
once, acknowledged late, stored once), records given up whose fate is open, and a switch of clusters behind
which offsets differ.
"""

from dataclasses import dataclass, replace
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from appliance.drills.checkers import History, check
from appliance.drills.judge import judge
from appliance.drills.ledger import Delivery, Outcome, RecordLedger, Stored, Write
from appliance.drills.scenario import Scenario, parse_scenario
from appliance.journal.events import ClientStarted, Event, FinalRead, RunEnded, RunStarted, StepEnded, StepStarted
from appliance.report.summary import Integrity

DAMAGE = ("lost", "duplicated", "reordered", "redelivered", "skipped", "altered")
PRODUCERS = ("canary", "careless")
CONSUMERS = ("fixed", "member-1", "member-2")
GROUP = {"member-1": "member-1+member-2", "member-2": "member-1+member-2"}
FATES: tuple[Outcome, ...] = ("failed", "indeterminate")
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def scenario(partitions: int) -> Scenario:
    objectives = "\n".join(f"  - {{name: no {kind}, metric: {kind}.records, eq: 0}}" for kind in DAMAGE)
    return parse_scenario(
        f"""
apiVersion: tidegate/v1
kind: Scenario
metadata: {{name: damage}}
lab:
  clusters: {{primary: {{}}, standby: {{}}}}
  virtual_cluster: {{name: orders, cluster: primary, standbys: [standby]}}
  topics: {{orders: {{partitions: {partitions}}}}}
traffic:
  - {{name: canary, produce: {{topic: orders}}}}
  - {{name: careless, produce: {{topic: orders, idempotent: false}}}}
  - {{name: fixed, consume: {{topic: orders}}}}
  - {{name: member-1, consume: {{topic: orders, group: g}}}}
  - {{name: member-2, consume: {{topic: orders, group: g}}}}
steps:
  - {{id: switch, switchover: {{to: standby}}}}
objectives:
{objectives}
""",
        "damage.yaml",
    )


@dataclass
class Record:
    """A recorded run that damage can be done to."""

    partitions: int
    rows: RecordLedger
    random: Random

    def counts(self) -> dict[str, int]:
        found = check(History.of(self.rows, "standby", readers=GROUP))
        return {kind: found.of(kind).count for kind in DAMAGE}

    def verdict(self) -> str:
        begun = [ClientStarted(at=0, client=name, role="producer", topic="orders", detail="") for name in PRODUCERS]
        begun += [ClientStarted(at=0, client=n, role="group-consumer", topic="orders", detail="") for n in CONSUMERS]
        held = [row for row in self.rows.stored if row.cluster == "standby"]
        reads = [
            FinalRead(
                at=9,
                cluster="standby",
                topic="orders",
                partition=partition,
                records=sum(row.partition == partition for row in held),
                start_offset=0,
                end_offset=9,
            )
            for partition in range(self.partitions)
        ]
        run = RunStarted(at=0, scenario="damage", scenario_sha256="", seed=0, lab="", started="", versions={})
        events: list[Event] = [
            run,
            *begun,
            StepStarted(at=1, step="switch", action=""),
            StepEnded(at=2, step="switch", ok=True),
            *reads,
            RunEnded(at=9, outcome="completed"),
        ]
        bound = Integrity(journal_head="", journal_events=0, ledger_sha256="", scenario_sha256="")
        return judge(scenario(self.partitions), events, self.rows, surviving="standby", integrity=bound).verdict

    def log(self, *, alone: bool = True) -> list[Stored]:
        """Rows of the surviving log whose records were acknowledged."""
        told = {write.id for write in self.rows.writes if write.outcome == "acknowledged"}
        return [row for row in self.rows.stored if row.cluster == "standby" and (not alone or row.id in told)]

    def end_of(self, partition: int) -> int:
        return 1 + max(row.offset for row in self.rows.stored if row.partition == partition)


@st.composite
def records(draw) -> Record:
    """A clean record. Its first acknowledged record per producer and partition keeps every client in traffic."""
    random = Random(draw(st.integers(0, 2**32)))
    partitions = draw(st.integers(1, 3))
    count = draw(st.integers(2, 8))
    switch = draw(st.integers(0, count * partitions * len(PRODUCERS)))
    order = [(name, partition) for name in PRODUCERS for partition in range(partitions)] * count
    random.shuffle(order)

    rows = RecordLedger()
    seqs: dict[tuple[str, int], int] = {}
    primary = dict.fromkeys(range(partitions), 1000)
    standby = dict.fromkeys(range(partitions), 0)
    for moment, (name, partition) in enumerate(order):
        seq = seqs.get((name, partition), 0)
        seqs[name, partition] = seq + 1
        record, digest = f"{name}/{partition}/{seq}", f"{random.getrandbits(64):016x}"
        fate: Outcome = "acknowledged" if seq == 0 or random.random() < 0.8 else random.choice(FATES)
        retried = random.random() * 5
        error = "" if fate == "acknowledged" else "_MSG_TIMED_OUT"
        rows.writes.append(
            Write(name, "orders", partition, seq, record, digest, moment, moment + retried, fate, None, error)
        )
        if fate == "failed" or (fate == "indeterminate" and random.random() < 0.5):
            continue
        offset = standby[partition]
        standby[partition] += 1 + (random.random() < 0.1)  # a control record takes an offset too
        rows.stored.append(Stored("standby", "orders", partition, offset, record, digest))
        if moment < switch:
            offset = primary[partition]
            primary[partition] += 1
            rows.stored.append(Stored("primary", "orders", partition, offset, record, digest))
        for name_of_reader in ("fixed", CONSUMERS[1 + partition % 2]):
            rows.deliveries.append(Delivery(name_of_reader, "orders", partition, offset, record, moment + 6.0))
    # With one partition the group's second member has none: it takes over the last delivery.
    if partitions == 1:
        mine = [index for index, row in enumerate(rows.deliveries) if row.client == "member-1"]
        rows.deliveries[mine[-1]] = replace(rows.deliveries[mine[-1]], client="member-2")
    return Record(partitions, rows, random)


def drop_stored(record: Record) -> str:
    record.rows.stored.remove(record.random.choice(record.log()))
    return "lost"


def duplicate_stored(record: Record) -> str:
    row = record.random.choice(record.log())
    record.rows.stored.append(replace(row, offset=record.end_of(row.partition)))
    return "duplicated"


def swap_stored(record: Record) -> str:
    lane = record.random.choice([(name, place) for name in PRODUCERS for place in range(record.partitions)])
    rows = [row for row in record.log(alone=False) if (row.id.split("/")[0], row.partition) == lane]
    assume(len(rows) > 1)
    one, other = record.random.sample(rows, 2)
    record.rows.stored.remove(one)
    record.rows.stored.remove(other)
    record.rows.stored.extend([replace(one, offset=other.offset), replace(other, offset=one.offset)])
    return "reordered"


def alter_stored(record: Record) -> str:
    row = record.random.choice(record.log(alone=False))
    record.rows.stored.remove(row)
    record.rows.stored.append(replace(row, digest="damaged"))
    return "altered"


def store_an_alien(record: Record) -> str:
    row = record.random.choice(record.log())
    alien = replace(row, id=f"canary/{row.partition}/4711", offset=record.end_of(row.partition))
    record.rows.stored.append(alien)
    record.rows.deliveries.append(Delivery("fixed", "orders", row.partition, alien.offset, alien.id, 99.0))
    return "altered"


def drop_delivery(record: Record) -> str:
    row = record.random.choice(record.rows.deliveries)
    left = [each for each in record.rows.deliveries if each is not row]
    assume(any(GROUP.get(each.client, each.client) == GROUP.get(row.client, row.client) for each in left))
    record.rows.deliveries[:] = left
    return "skipped"


def repeat_delivery(record: Record) -> str:
    row = record.random.choice(record.rows.deliveries)
    offset = record.random.choice([row.offset, row.offset + 70])
    record.rows.deliveries.append(replace(row, offset=offset, at=row.at + 50))
    return "redelivered"


def swap_deliveries(record: Record) -> str:
    author, partition = record.random.choice(PRODUCERS), record.random.randrange(record.partitions)
    places = [
        index
        for index, row in enumerate(record.rows.deliveries)
        if row.client == "fixed" and row.partition == partition and row.id.startswith(f"{author}/")
    ]
    assume(len(places) > 1)
    one, other = record.random.sample(places, 2)
    rows = record.rows.deliveries
    rows[one], rows[other] = rows[other], rows[one]
    return "reordered"


@EXAMPLES
@given(records())
def test_a_clean_record_is_green(record):
    assert record.counts() == dict.fromkeys(DAMAGE, 0)
    assert record.verdict() == "pass"


@pytest.mark.parametrize(
    "damage",
    [
        drop_stored,
        duplicate_stored,
        swap_stored,
        alter_stored,
        store_an_alien,
        drop_delivery,
        repeat_delivery,
        swap_deliveries,
    ],
)
def test_every_damage_is_seen_and_turns_the_verdict_red(damage):
    @EXAMPLES
    @given(records())
    def damaged(record):
        kind = damage(record)
        assert record.counts()[kind] > 0
        assert record.verdict() == "fail"

    damaged()


@EXAMPLES
@given(records(), st.integers(1, 5))
def test_every_dropped_record_is_counted(record, drops):
    rows = record.log()
    dropped = record.random.sample(rows, min(drops, len(rows)))
    for row in dropped:
        record.rows.stored.remove(row)
    assert record.counts()["lost"] == len(dropped)
