"""A realistic run record made by code: a planned switch under faults, and what may go wrong with it.

The lab has a primary of three brokers and a standby of one; three clients are at work for about 75 seconds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from appliance.journal import events as e
from appliance.journal.chain import Journal
from appliance.report import summary as s

STARTED = "2026-08-24T10:02:11Z"
VERSIONS = {"tidegate": "0.1.0", "kafka": "4.1.0", "librdkafka": "2.11.1", "python": "3.11.7"}
LAB_NOTE = "Standby fed by MirrorMaker-like copying on one machine; brokers are real JVM processes."
TOPIC = "orders"

SCENARIO = """\
apiVersion: tidegate/v1
kind: Scenario
metadata: {name: planned-switch}
spec:
  title: Planned switch under faults, then loss of the primary
  seed: 4711
  traffic: {topic: orders, partitions: 6, rate: 200/s}
  steps:
    - {name: slow-orders, fault: {type: latency, delay: 200ms, select: {topic: orders}}, for: 8s}
    - {name: refuse-writes, for: 10s, fault: {type: error, error: NOT_ENOUGH_REPLICAS, trigger: {every: 20}}}
    - {name: lost-ack, for: 10s, fault: {type: error, error: REQUEST_TIMED_OUT, trigger: {nth: 40}}}
    - {name: switch, switchover: {virtual_cluster: orders, to: standby}}
    - {name: lose-primary, outage: {cluster: primary}}
  objectives:
    - {name: rto, metric: recovery.stable, le: 30s}
    - {name: rpo, metric: lost.records, eq: 0}
    - {name: no-duplicates, metric: duplicated.records, eq: 0}
"""

SWITCH = [
    ("preflight", 34.0, "standby reachable, lag 12 records"),
    ("fence", 34.42, "new writes held"),
    ("drain", 34.61, "lag 12 records"),
    ("switch", 36.34, "to standby, epoch 2"),
    ("move", 36.40, "3 clients asked to reconnect"),
    ("unfence", 36.93, ""),
    ("verify", 37.02, "first write on standby acknowledged"),
    ("done", 38.11, ""),
]


def events() -> list[e.Event]:
    """Return the journal of the run."""
    found: list[e.Event] = [
        e.RunStarted(
            at=0.0,
            scenario="planned-switch",
            scenario_sha256=hashlib.sha256(SCENARIO.encode()).hexdigest(),
            seed=4711,
            lab="apache",
            lab_note=LAB_NOTE,
            started=STARTED,
            versions=VERSIONS,
        ),
        e.ClusterDescribed(
            at=1.9, cluster="primary", cluster_id="4rT9aQ", brokers=[1, 2, 3], version="4.1.0", role="primary"
        ),
        e.ClusterDescribed(
            at=1.95, cluster="standby", cluster_id="Zp1x7w", brokers=[1], version="4.1.0", role="standby"
        ),
        e.ClientStarted(
            at=2.2,
            client="canary",
            role="producer",
            topic=TOPIC,
            detail="acks=all, idempotent, 200 records/s",
        ),
        e.ClientStarted(at=2.3, client="fixed-reader", role="assigned-consumer", topic=TOPIC, detail="6 partitions"),
        e.ClientStarted(
            at=2.4, client="group-reader", role="group-consumer", topic=TOPIC, detail="group drill-planned"
        ),
        e.SteadyStateChecked(
            at=11.9,
            name="writes",
            when="before",
            target=">= 150/s",
            measured="199/s",
            ok=True,
        ),
        e.StepStarted(at=12.1, step="slow-orders", action="fault latency on orders, 200 ms, for 8 s"),
        _armed(12.15, "slow-orders", "latency", "delays Produce on orders by 200 ms", disrupts=False),
        e.StepStarted(
            at=16.0,
            step="refuse-writes",
            action="fault error NOT_ENOUGH_REPLICAS before the broker, for 10 s",
        ),
        _armed(
            16.05,
            "refuse-writes",
            "error",
            "refuses every 20th Produce with NOT_ENOUGH_REPLICAS",
            disrupts=False,
        ),
        _ended(20.15, "slow-orders", 812, 812),
        e.StepEnded(at=20.2, step="slow-orders", ok=True),
        e.StepStarted(at=22.0, step="lost-ack", action="fault error after the broker, 40th Produce"),
        _armed(
            22.02,
            "lost-ack",
            "error",
            "answers the 40th Produce with REQUEST_TIMED_OUT after the write",
            disrupts=False,
        ),
        _ended(26.05, "refuse-writes", 990, 49),
        e.StepEnded(at=26.1, step="refuse-writes", ok=True),
        _ended(32.02, "lost-ack", 1003, 1),
        e.StepEnded(at=32.1, step="lost-ack", ok=True),
        e.StepStarted(at=33.9, step="switch", action="switch orders to standby"),
        *(_progressed(at, state, detail) for state, at, detail in SWITCH),
        e.StepEnded(at=38.2, step="switch", ok=True),
        e.StepStarted(at=42.0, step="lose-primary", action="outage of primary"),
        _armed(42.05, "lose-primary", "outage", "primary unreachable, connections cut", disrupts=True),
        e.LabActed(at=42.1, action="stop-replication", cluster="primary"),
        e.LabActed(at=42.3, action="kill", cluster="primary", brokers=[1, 2, 3]),
        *(e.ClientError(at=42.4 + 0.3 * n, client="group-reader", error="_ALL_BROKERS_DOWN") for n in range(6)),
        e.StepEnded(at=52.0, step="lose-primary", ok=True),
        _ended(52.05, "lose-primary", 37, 37),
        e.LabActed(at=55.4, action="start", cluster="primary", brokers=[1, 2, 3]),
        e.Noted(at=58.0, text="Brokers of primary took 2.4 s to start again; the final read reads standby alone."),
        e.SteadyStateChecked(at=66.8, name="writes", when="after", target=">= 150/s", measured="200/s", ok=True),
        *(
            e.FinalRead(
                at=68.0 + 0.4 * n,
                cluster="standby",
                topic=TOPIC,
                partition=n,
                records=2130 + n,
                start_offset=0,
                end_offset=2140,
            )
            for n in range(6)
        ),
        e.RunEnded(at=75.21, outcome="completed"),
        *_phases(),
    ]
    return sorted(found, key=lambda event: event.at)


def _phases() -> list[e.Event]:
    bounds: list[tuple[e.Phase, float, float]] = [
        ("validate", 0.0, 0.08),
        ("preflight", 0.08, 2.1),
        ("baseline", 2.1, 12.0),
        ("run", 12.0, 55.0),
        ("heal", 55.0, 57.9),
        ("settle", 57.9, 68.0),
        ("final-read", 68.0, 74.2),
        ("judge", 74.2, 74.8),
        ("report", 74.8, 75.2),
    ]
    starts = [e.PhaseStarted(at=start, phase=phase) for phase, start, _ in bounds]
    return [*starts, *(e.PhaseEnded(at=end, phase=phase, ok=True) for phase, _, end in bounds)]


def _armed(at: float, name: str, kind: str, description: str, *, disrupts: bool) -> e.Event:
    return e.FaultArmed(at=at, fault=name, type=kind, description=description, disrupts=disrupts)


def _ended(at: float, name: str, matched: int, fired: int) -> e.Event:
    skipped = {"trigger": matched - fired} if matched > fired else {}
    return e.FaultEnded(at=at, fault=name, matched=matched, fired=fired, skipped=skipped, clients=["canary"])


def _progressed(at: float, state: str, detail: str) -> e.Event:
    return e.SwitchoverProgressed(at=at, virtual_cluster="orders", state=state, detail=detail)


def summary() -> s.Summary:
    """Return the verdict of the run: a pass. `write` binds it to the files."""
    faults = [event for event in events() if isinstance(event, e.FaultEnded)]
    armed = {event.fault: event for event in events() if isinstance(event, e.FaultArmed)}
    return s.Summary(
        scenario="planned-switch",
        title="Planned switch under faults, then loss of the primary",
        description="Rehearses the quarterly switch of orders to the standby while the network is slow.",
        started=STARTED,
        duration_seconds=75.21,
        verdict="pass",
        exit_code=0,
        reasons=[],
        lab="apache",
        lab_note=LAB_NOTE,
        seed=4711,
        surviving_cluster="standby",
        ledger=s.Ledger(
            acknowledged=12795,
            lost=0,
            duplicated=0,
            reordered=0,
            redelivered=34,
            skipped=0,
            indeterminate=3,
            indeterminate_found=2,
            altered=0,
        ),
        partitions=[
            s.PartitionIntegrity(
                client="canary", topic=TOPIC, partition=n, acknowledged=2132 + n % 2, indeterminate=n // 3 % 2
            )
            for n in range(6)
        ]
        + [
            s.PartitionIntegrity(
                client="group-reader",
                topic=TOPIC,
                partition=2,
                redelivered=34,
                samples=["redelivered canary/2/1107", "redelivered canary/2/1108"],
            )
        ],
        objectives=[
            s.Objective(name="rto", metric="recovery.stable", target="<= 30s", measured="11s310ms", verdict="pass"),
            s.Objective(
                name="rpo",
                metric="lost.records",
                target="= 0 records",
                measured="0 records",
                verdict="pass",
            ),
            s.Objective(
                name="no-duplicates",
                metric="duplicated.records",
                target="= 0 records",
                measured="0 records",
                verdict="pass",
            ),
            s.Objective(
                name="redelivery",
                metric="redelivered.records",
                target="<= 500 records",
                measured="34 records",
                verdict="pass",
                detail="All in the 5 s after the switch.",
            ),
        ],
        faults=[
            s.FaultOutcome(
                name=each.fault,
                type=armed[each.fault].type,
                description=armed[each.fault].description,
                matched=each.matched,
                fired=each.fired,
                skipped=each.skipped,
                clients=each.clients,
            )
            for each in faults
        ],
        recovery=[
            _recovery("canary", "producer", 2.51, 3.20, 2.9),
            _recovery("fixed-reader", "assigned-consumer", 2.74, 4.01, 3.1),
            _recovery("group-reader", "group-consumer", 4.88, 11.31, 5.6),
        ],
        availability=[
            _availability(
                "canary",
                [
                    (2.3, 12.2, "ok"),
                    (12.2, 32.0, "degraded"),
                    (32.0, 34.4, "ok"),
                    (34.4, 37.1, "down"),
                    (37.1, 67, "ok"),
                ],
            ),
            _availability(
                "fixed-reader",
                [
                    (2.4, 34.5, "ok"),
                    (34.5, 37.4, "down"),
                    (37.4, 42.2, "ok"),
                    (42.2, 42.5, "down"),
                    (42.5, 67, "ok"),
                ],
            ),
            _availability(
                "group-reader",
                [(2.9, 34.6, "ok"), (34.6, 39.5, "down"), (39.5, 45.8, "degraded"), (45.8, 67, "ok")],
            ),
        ],
        steady_state=[
            s.SteadyState(
                name="writes",
                target=">= 150/s",
                before="199/s",
                before_ok=True,
                after="200/s",
                after_ok=True,
            )
        ],
        clusters=[
            s.ClusterFacts(name="primary", role="primary", cluster_id="4rT9aQ", version="4.1.0", brokers=[1, 2, 3]),
            s.ClusterFacts(name="standby", role="standby", cluster_id="Zp1x7w", version="4.1.0", brokers=[1]),
        ],
        versions=VERSIONS,
        integrity=s.Integrity(journal_head="", journal_events=0, ledger_sha256="", scenario_sha256=""),
    )


def _recovery(client: str, role: str, first: float, stable: float, gap: float) -> s.Recovery:
    return s.Recovery(
        client=client,
        role=role,
        disrupted_at=34.42,
        first_success_seconds=first,
        stable_seconds=stable,
        longest_gap_seconds=gap,
    )


def _availability(client: str, spans: list[tuple[float, float, str]]) -> s.Availability:
    made = [s.Span.model_validate({"start": start, "end": end, "state": state}) for start, end, state in spans]
    return s.Availability(client=client, spans=made)


def write(directory: Path, verdict: s.Summary, happened: list[e.Event], scenario: str = SCENARIO) -> s.Summary:
    """Write a run directory whose files are bound to each other; return the summary as it was written."""
    directory.mkdir(parents=True, exist_ok=True)
    journal = Journal(directory / "journal.jsonl")
    for event in happened:
        journal.append(event)
    journal.close()
    (directory / "scenario.yaml").write_text(scenario, encoding="utf-8")
    ledger = '{"row":"write","client":"canary"}\n'
    (directory / "ledger.jsonl").write_text(ledger, encoding="utf-8")
    bound = s.Integrity(
        journal_head=journal.head,
        journal_events=len(happened),
        ledger_sha256=hashlib.sha256(ledger.encode()).hexdigest(),
        scenario_sha256=hashlib.sha256(scenario.encode()).hexdigest(),
    )
    made = verdict.model_copy(update={"integrity": bound})
    (directory / "summary.json").write_text(made.model_dump_json(indent=2), encoding="utf-8")
    return made
