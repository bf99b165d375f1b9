"""The verdict on whole records: one clean run, and what each thing that goes wrong makes of it."""

from dataclasses import replace

import pytest

from appliance.drills.judge import judge, readers_of
from appliance.drills.ledger import Delivery, RecordLedger, Stored, Write
from appliance.drills.scenario import parse_scenario
from appliance.journal.events import (
    ClientStarted,
    ClusterDescribed,
    FaultArmed,
    FaultEnded,
    FinalRead,
    LabActed,
    PhaseEnded,
    PhaseStarted,
    RunEnded,
    RunStarted,
    SteadyStateChecked,
    StepEnded,
    StepStarted,
)
from appliance.report.summary import Integrity

TEXT = """
apiVersion: tidegate/v1
kind: Scenario
metadata: {name: loss, title: Loss of a cluster}
lab:
  clusters: {primary: {}, standby: {}}
  virtual_cluster: {name: orders, cluster: primary, standbys: [standby]}
  topics: {orders: {partitions: 2}}
traffic:
  - {name: canary, produce: {topic: orders, rate: 10/s}}
  - {name: careless, produce: {topic: orders, rate: 10/s, acks: 1, idempotent: false}}
  - {name: reader, consume: {topic: orders}}
steady_state:
  - {name: writes flow, probe: produce.rate, client: canary, ge: 5/s}
steps:
  - {id: refuse, fault: {error: {code: NOT_ENOUGH_REPLICAS}, trigger: {first: 3}, duration: 5s}}
  - {id: die, lab: {kill: primary}}
  - {id: switch, switchover: {to: standby, mode: unplanned}}
  - {id: back, observe: {until: stable}}
objectives:
  - {name: rpo, metric: lost.records, le: 0, client: canary}
  - {name: twice, metric: duplicated.records, eq: 0}
  - {name: rto, metric: recovery.stable, le: 10s}
"""
INTEGRITY = Integrity(journal_head="h", journal_events=1, ledger_sha256="l", scenario_sha256="s")
PRODUCERS = ("canary", "careless")


def times():
    return [each / 10 for each in range(10, 200)] + [each / 10 for each in range(260, 600)]


def clean_rows():
    rows = RecordLedger()
    offsets = {0: 0, 1: 0}
    for index, at in enumerate(times()):
        partition, seq = index % 2, index // 2
        for name in PRODUCERS:
            record = f"{name}/{partition}/{seq}"
            rows.writes.append(Write(name, "orders", partition, seq, record, "d", at, at, "acknowledged", None, ""))
            rows.stored.append(Stored("standby", "orders", partition, offsets[partition], record, "d"))
            rows.deliveries.append(Delivery("reader", "orders", partition, offsets[partition], record, at))
            offsets[partition] += 1
    return rows


def clean_events(rows):
    step_ends = [StepEnded(at=30, step=step, ok=True) for step in ("refuse", "die", "switch", "back")]
    reads = [
        FinalRead(
            at=61,
            cluster="standby",
            topic="orders",
            partition=partition,
            records=sum(row.partition == partition for row in rows.stored),
            start_offset=0,
            end_offset=1000,
        )
        for partition in (0, 1)
    ]
    return [
        RunStarted(
            at=0,
            scenario="loss",
            scenario_sha256="s",
            seed=7,
            lab="apache",
            started="2026-08-01T00:00:00Z",
            versions={},
        ),
        ClusterDescribed(at=0, cluster="standby", cluster_id="x", brokers=[1], version="4.3.1", role="standby"),
        *(ClientStarted(at=0, client=name, role="producer", topic="orders", detail="") for name in PRODUCERS),
        ClientStarted(at=0, client="reader", role="assigned-consumer", topic="orders", detail=""),
        PhaseStarted(at=1, phase="baseline"),
        SteadyStateChecked(at=5, name="writes flow", when="before", target=">= 5/s", measured="10/s", ok=True),
        StepStarted(at=5, step="refuse", action=""),
        FaultArmed(at=5, fault="refuse", type="error", description="errors", disrupts=True),
        FaultEnded(at=9, fault="refuse", matched=9, fired=3, clients=["canary"]),
        LabActed(at=20, action="kill", cluster="primary"),
        *step_ends,
        PhaseEnded(at=50, phase="heal", ok=True),
        SteadyStateChecked(at=55, name="writes flow", when="after", target=">= 5/s", measured="9/s", ok=True),
        PhaseEnded(at=60, phase="settle", ok=True),
        *reads,
        RunEnded(at=62, outcome="completed"),
    ]


@pytest.fixture
def rows():
    return clean_rows()


def verdict_on(rows, *, events=None, drop=(), add=(), change=lambda event: event, text=TEXT):
    told = clean_events(rows) if events is None else events
    told = [change(event) for event in told if not isinstance(event, tuple(drop))] + list(add)
    return judge(parse_scenario(text, "loss.yaml"), told, rows, surviving="standby", integrity=INTEGRITY)


def changed(kind, where=bool, **values):
    return lambda event: event.model_copy(update=values) if isinstance(event, kind) and where(event) else event


def lose(rows, *, client, partition, count):
    mine = [row for row in rows.stored if row.id.startswith(f"{client}/{partition}/")]
    for row in mine[-count:]:
        rows.stored.remove(row)


def test_a_clean_run_passes(rows):
    summary = verdict_on(rows)
    assert (summary.verdict, summary.exit_code, summary.reasons) == ("pass", 0, [])
    assert (summary.title, summary.seed, summary.duration_seconds) == ("Loss of a cluster", 7, 62.0)
    assert summary.ledger.acknowledged == len(rows.writes)
    assert [each.verdict for each in summary.objectives] == ["pass"] * 3
    assert summary.objectives[0].measured == "0 records"
    assert summary.objectives[2].measured == "6s (canary)"
    assert summary.objectives[2].target == "<= 10s"
    assert [each.cluster_id for each in summary.clusters] == ["x"]
    assert [each.fired for each in summary.faults] == [3]
    assert (summary.steady_state[0].before, summary.steady_state[0].after) == ("10/s", "9/s")
    assert {each.client: each.disrupted_at for each in summary.recovery} == dict.fromkeys(
        ("canary", "careless", "reader"), 20.0
    )


def test_the_same_record_gives_the_same_summary(rows):
    assert verdict_on(rows) == verdict_on(rows)


def test_a_loss_is_a_fail_and_says_where(rows):
    lose(rows, client="canary", partition=1, count=3)
    summary = verdict_on(rows)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    assert summary.reasons == ["3 lost records: canary in orders/1 (3); objective rpo: <= 0 records"]
    (row,) = [each for each in summary.partitions if each.lost]
    assert (row.client, row.partition, row.lost, len(row.samples)) == ("canary", 1, 3, 3)
    assert summary.objectives[0].measured == "3 records"


def test_a_loss_that_no_objective_speaks_of_fails_too(rows):
    lose(rows, client="careless", partition=0, count=1)
    summary = verdict_on(rows)
    assert summary.verdict == "fail"
    assert summary.reasons == ["1 lost record: careless in orders/0 (1); no objective of the scenario allows any"]


def test_a_damage_that_is_the_point_of_the_drill_passes(rows):
    lose(rows, client="careless", partition=0, count=2)
    shown = TEXT + "  - {name: shown, metric: lost.records, ge: 1, client: careless}\n"
    assert verdict_on(rows, text=shown).verdict == "pass"
    summary = verdict_on(clean_rows(), text=shown)
    assert summary.reasons == ["0 lost records; objective shown: >= 1 record"]


def test_records_that_nobody_sent_fail(rows):
    rows.stored[0] = replace(rows.stored[0], digest="other")
    assert verdict_on(rows).reasons[0].startswith("1 altered record: canary in orders/0 (1)")


def test_duplicates_name_client_and_partition(rows):
    rows.stored.append(replace(rows.stored[1], offset=5000))
    assert verdict_on(rows).reasons == ["1 duplicated record: careless in orders/0 (1); objective twice: = 0 records"]


def test_a_late_recovery_is_a_fail(rows):
    summary = verdict_on(rows, text=TEXT.replace("le: 10s", "le: 3s"))
    assert summary.verdict == "fail"
    assert summary.reasons == ["canary was stable again after 6s; objective rto: <= 3s"]


def test_a_client_never_back_is_a_fail_where_the_window_was_long_enough(rows):
    rows.deliveries[:] = [row for row in rows.deliveries if row.at < 20]
    summary = verdict_on(rows)
    assert summary.verdict == "fail"
    assert summary.objectives[2].measured == "not within 39.9s (reader)"
    assert "reader was not stable again within the 39.9s that were watched; objective rto: <= 10s" in summary.reasons


def test_a_client_never_back_is_inconclusive_where_the_window_was_too_short(rows):
    rows.deliveries[:] = [row for row in rows.deliveries if row.at < 20]
    summary = verdict_on(rows, text=TEXT.replace("le: 10s", "le: 2m"))
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert "objective rto: reader was not stable again" in summary.reasons[0]


def test_a_client_never_back_without_an_objective_is_inconclusive(rows):
    rows.deliveries[:] = [row for row in rows.deliveries if row.at < 20]
    summary = verdict_on(rows, text=TEXT.replace("le: 10s", "le: 10s, client: canary"))
    assert summary.verdict == "inconclusive"
    assert summary.reasons == ["reader was not back within the 39.9s watched, and no objective speaks of it"]


def test_the_longest_silence_can_be_an_objective(rows):
    text = TEXT + "  - {name: silence, metric: unavailability.longest, le: 5s, client: canary}\n"
    assert verdict_on(rows, text=text).reasons == ["canary was without a success for 6.1s; objective silence: <= 5s"]


def test_no_traffic_is_never_a_pass(rows):
    rows.deliveries.clear()
    summary = verdict_on(rows, text=TEXT.replace("le: 10s", "le: 10s, client: canary"))
    assert summary.verdict == "inconclusive"
    assert summary.reasons == ["no traffic: reader got no record"]
    nothing = verdict_on(RecordLedger())
    assert nothing.verdict != "pass"


@pytest.mark.parametrize("metric", ["skipped.records", "reordered.records, client: reader"])
def test_an_objective_without_evidence_is_inconclusive(rows, metric):
    rows.deliveries.clear()
    text = TEXT.replace("le: 10s", "le: 10s, client: canary") + f"  - {{name: s, metric: {metric}, le: 0}}\n"
    summary = verdict_on(rows, text=text)
    assert summary.objectives[3].verdict == "inconclusive"
    assert "objective s: no record was delivered to reader, so nothing is proven" in summary.reasons


def test_a_fault_that_struck_nothing_is_inconclusive(rows):
    summary = verdict_on(rows, change=changed(FaultEnded, fired=0))
    assert summary.verdict == "inconclusive"
    assert summary.reasons == ["fault refuse struck nothing: it fired 0 times, of 9 matching requests"]
    assert verdict_on(rows, drop=[FaultEnded]).verdict == "inconclusive"
    assert verdict_on(rows, drop=[FaultEnded, FaultArmed]).verdict == "inconclusive"


def test_a_proven_miss_beats_a_doubt_and_both_are_told(rows):
    lose(rows, client="canary", partition=0, count=1)
    summary = verdict_on(rows, change=changed(FaultEnded, fired=0))
    assert summary.verdict == "fail"
    assert ["lost" in reason for reason in summary.reasons] == [True, False]


def test_a_log_that_was_not_read_is_inconclusive_and_no_loss(rows):
    events = [each for each in clean_events(rows) if not (isinstance(each, FinalRead) and each.partition == 1)]
    rows.stored[:] = [row for row in rows.stored if row.partition == 0]
    text = TEXT.replace("lost.records, le: 0, client: canary", "lost.records, le: 0")
    summary = verdict_on(rows, events=events, text=text)
    assert summary.verdict == "inconclusive"
    assert summary.ledger.lost == 0
    assert summary.objectives[0].verdict == "inconclusive"
    assert "orders/1 was not read on standby: 530 acknowledged records can be judged neither way" in summary.reasons[0]


def test_a_gap_in_the_ledger_is_inconclusive(rows):
    events = clean_events(rows)
    rows.stored.append(replace(rows.stored[0], offset=9000))
    summary = verdict_on(rows, events=events, text=TEXT.replace("eq: 0", "le: 5"))
    assert summary.verdict == "inconclusive"
    assert "the ledger has a gap: orders/0 on standby held 530 records, and the ledger has 531" in summary.reasons[0]


def test_a_steady_state_that_did_not_return_is_a_fail(rows):
    after = changed(SteadyStateChecked, lambda event: event.when == "after", measured="1/s", ok=False)
    summary = verdict_on(rows, change=after)
    assert (summary.verdict, summary.reasons) == ("fail", ["after the drill, writes flow: 1/s, expected >= 5/s"])


def test_a_drill_that_did_not_begin_is_inconclusive(rows):
    shut = [RunEnded(at=9, outcome="aborted", detail="the steady state does not hold")]
    dropped = [RunEnded, StepStarted, StepEnded, FaultArmed, FaultEnded, LabActed]
    summary = verdict_on(rows, drop=dropped, add=shut)
    assert summary.verdict == "inconclusive"
    assert summary.reasons == ["the drill did not begin: the steady state does not hold"]


@pytest.mark.parametrize(
    ("outcome", "verdict", "exit_code"),
    [("aborted", "aborted", 4), ("tool-error", "tool-error", 5), ("interrupted", "interrupted", 130)],
)
def test_a_run_that_was_cut_short_says_so_before_anything_else(rows, outcome, verdict, exit_code):
    lose(rows, client="canary", partition=0, count=1)
    summary = verdict_on(rows, change=changed(RunEnded, outcome=outcome, detail="why"))
    assert (summary.verdict, summary.exit_code) == (verdict, exit_code)
    assert summary.reasons[0].endswith("why")
    assert "lost" in summary.reasons[1]


def test_a_record_without_an_end_is_a_tool_error(rows):
    assert verdict_on(rows, drop=[RunEnded]).reasons == ["the run ended by an error: the record has no end"]


def test_a_failed_healing_is_a_tool_error(rows):
    failed = changed(PhaseEnded, lambda event: event.phase == "heal", ok=False, detail="primary did not start")
    summary = verdict_on(rows, change=failed)
    assert (summary.verdict, summary.reasons) == ("tool-error", ["healing failed: primary did not start"])


def test_a_failed_switchover_is_a_fail_and_other_steps_are_doubts(rows):
    failed = changed(StepEnded, lambda event: event.step == "switch", ok=False, detail="rolled back")
    assert verdict_on(rows, change=failed).verdict == "fail"
    unplayed = [each for each in clean_events(rows) if not (isinstance(each, StepEnded) and each.step == "die")]
    summary = verdict_on(rows, events=unplayed)
    assert (summary.verdict, summary.reasons) == ("inconclusive", ["step die was not played to its end"])


def test_an_incomplete_final_read_is_a_doubt(rows):
    add = [PhaseEnded(at=61, phase="final-read", ok=False, detail="no answer")]
    assert verdict_on(rows, add=add).reasons == ["final read was not complete: no answer"]


def test_what_is_no_run_is_refused(rows):
    with pytest.raises(ValueError, match=r"run\.started"):
        verdict_on(rows, drop=[RunStarted])


def test_samples_of_every_kind_are_shown(rows):
    lose(rows, client="canary", partition=0, count=40)
    kept = next(row for row in rows.stored if row.id == "canary/0/0")
    rows.stored.append(replace(kept, offset=5000))
    (row,) = [each for each in verdict_on(rows).partitions if each.lost]
    assert len(row.samples) == 20
    assert "duplicated canary/0/0" in row.samples


def test_members_of_one_group_are_one_reader():
    text = TEXT.replace(
        "  - {name: reader, consume: {topic: orders}}\n",
        "  - {name: a, consume: {topic: orders, group: g}}\n"
        "  - {name: b, consume: {topic: orders, group: g}}\n"
        "  - {name: c, consume: {topic: orders, group: h}}\n",
    )
    assert readers_of(parse_scenario(text, "loss.yaml")) == {"a": "a+b", "b": "a+b"}
