"""What the rehearsal of `rehearsal.py` looks like when it goes wrong: one function per way."""

from __future__ import annotations

from appliance.journal import events as e
from appliance.report import summary as s
from tests.report import rehearsal

HOSTILE = "</title></script><script>alert('x')</script><img src=//evil.example/x onerror=alert(1)>&\"'\u202e\x1b"

Run = tuple[s.Summary, list[e.Event]]


def passed() -> Run:
    """All objectives met."""
    return rehearsal.summary(), rehearsal.events()


def secured() -> Run:
    """Passed with the gateway in two processes and clients over TLS."""
    return rehearsal.summary().model_copy(update={"workers": 2, "security": "tls-scram"}), rehearsal.events()


def failed() -> Run:
    """Records duplicated and lost, with samples; one client slow to come back."""
    base = rehearsal.summary()
    ledger = base.ledger.model_copy(update={"lost": 3, "duplicated": 41, "reordered": 2})
    bad = [
        s.PartitionIntegrity(
            client="canary",
            topic=rehearsal.TOPIC,
            partition=2,
            acknowledged=2132,
            lost=3,
            duplicated=41,
            reordered=2,
            samples=[
                *(f"lost canary/2/{n}" for n in (1106, 1107, 1109)),
                *(f"duplicated canary/2/{n}" for n in range(1090, 1106)),
                "reordered canary/2/1101",
            ],
        )
    ]
    objectives = [
        base.objectives[0].model_copy(update={"measured": "11s310ms", "target": "<= 10s", "verdict": "fail"}),
        base.objectives[1].model_copy(update={"measured": "3 records", "verdict": "fail"}),
        base.objectives[2].model_copy(
            update={
                "measured": "41 records",
                "verdict": "fail",
                "detail": "The producer's id was not known to standby.",
            }
        ),
        base.objectives[3],
    ]
    reasons = [
        "rpo: 3 acknowledged records are not in the log of standby (target = 0 records)",
        "no-duplicates: 41 extra copies in the log (target = 0 records)",
        "rto: the last client was stable after 11s310ms (target <= 10s)",
    ]
    update = {
        "verdict": "fail",
        "exit_code": 1,
        "reasons": reasons,
        "ledger": ledger,
        "objectives": objectives,
        "partitions": base.partitions + bad,
    }
    return base.model_copy(update=update), rehearsal.events()


def inconclusive() -> Run:
    """A fault never fired."""
    base = rehearsal.summary()
    faults = [
        each if each.name != "lost-ack" else each.model_copy(update={"fired": 0, "clients": []}) for each in base.faults
    ]
    objectives = [
        base.objectives[0],
        *(
            each.model_copy(update={"verdict": "inconclusive", "detail": "lost-ack never fired"})
            for each in base.objectives[1:3]
        ),
    ]
    happened = [
        event.model_copy(update={"fired": 0, "clients": []})
        if isinstance(event, e.FaultEnded) and event.fault == "lost-ack"
        else event
        for event in rehearsal.events()
    ]
    update = {
        "verdict": "inconclusive",
        "exit_code": 3,
        "reasons": ["fault lost-ack matched 1003 requests and never fired: what it was to show was not shown"],
        "faults": faults,
        "objectives": objectives,
    }
    return base.model_copy(update=update), happened


def unrecovered() -> Run:
    """No client came back; no objectives, no final read, the drill aborted by a guard."""
    base = rehearsal.summary()
    recovery = [
        each.model_copy(update={"first_success_seconds": None, "stable_seconds": None}) for each in base.recovery
    ]
    availability = [
        s.Availability(
            client=each.client,
            spans=[s.Span(start=2.3, end=34.4, state="ok"), s.Span(start=34.4, end=52.0, state="down")],
        )
        for each in base.availability
    ]
    happened = [event for event in rehearsal.events() if event.at < 52.0]
    happened.append(e.RunEnded(at=52.2, outcome="aborted", detail="guard: no client succeeded for 15 s"))
    update = {
        "verdict": "aborted",
        "exit_code": 4,
        "duration_seconds": 52.2,
        "reasons": ["guard: no client succeeded for 15 s"],
        "recovery": recovery,
        "availability": availability,
        "objectives": [],
        "steady_state": [base.steady_state[0].model_copy(update={"after": "", "after_ok": False})],
    }
    return base.model_copy(update=update), happened


def hostile() -> Run:
    """Every text that a run can hold tries to break out of the page."""
    base = rehearsal.summary()
    happened: list[e.Event] = [
        *rehearsal.events()[:-1],
        e.StepStarted(at=60.0, step=HOSTILE, action=HOSTILE),
        e.FaultArmed(at=60.0, fault=HOSTILE, type=HOSTILE, description=HOSTILE, disrupts=True),
        e.SwitchoverProgressed(at=60.0, virtual_cluster=HOSTILE, state=HOSTILE, detail=HOSTILE),
        e.LabActed(at=60.0, action="kill", cluster=HOSTILE, brokers=[1]),
        e.ClientError(at=60.0, client=HOSTILE, error=HOSTILE),
        e.ClusterDescribed(at=60.0, cluster=HOSTILE, cluster_id=HOSTILE, brokers=[], version=HOSTILE, role="standby"),
        e.ClientStarted(at=60.0, client=HOSTILE, role="producer", topic=HOSTILE, detail=HOSTILE),
        e.SteadyStateChecked(at=60.0, name=HOSTILE, when="after", target=HOSTILE, measured=HOSTILE, ok=False),
        e.FinalRead(at=60.0, cluster=HOSTILE, topic=HOSTILE, partition=0, records=1, start_offset=0, end_offset=1),
        e.Noted(at=60.0, text=HOSTILE),
        e.RunEnded(at=76.0, outcome="tool-error", detail=HOSTILE),
    ]
    update = {
        "scenario": HOSTILE,
        "title": HOSTILE,
        "description": HOSTILE,
        "started": HOSTILE,
        "verdict": "tool-error",
        "exit_code": 5,
        "reasons": [HOSTILE],
        "lab": HOSTILE,
        "lab_note": HOSTILE,
        "surviving_cluster": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "objectives": [
            s.Objective(name=HOSTILE, metric=HOSTILE, target=HOSTILE, measured=HOSTILE, verdict="fail", detail=HOSTILE)
        ],
        "partitions": [
            s.PartitionIntegrity(client=HOSTILE, topic=HOSTILE, partition=0, acknowledged=1, lost=1, samples=[HOSTILE])
        ],
        "faults": [
            s.FaultOutcome(
                name=HOSTILE,
                type=HOSTILE,
                description=HOSTILE,
                matched=0,
                fired=0,
                skipped={HOSTILE: 1},
                clients=[HOSTILE],
            )
        ],
        "recovery": [
            s.Recovery(
                client=HOSTILE,
                role=HOSTILE,
                disrupted_at=1.0,
                first_success_seconds=None,
                stable_seconds=None,
                longest_gap_seconds=1.0,
            )
        ],
        "availability": [s.Availability(client=HOSTILE, spans=[s.Span(start=0.0, end=5.0, state="down")])],
        "steady_state": [
            s.SteadyState(name=HOSTILE, target=HOSTILE, before=HOSTILE, before_ok=False, after=HOSTILE, after_ok=False)
        ],
        "clusters": [s.ClusterFacts(name=HOSTILE, role=HOSTILE, cluster_id=HOSTILE, version=HOSTILE, brokers=[])],
    }
    return base.model_copy(update=update), happened


VARIANTS = {
    "pass": passed,
    "secured": secured,
    "fail": failed,
    "inconclusive": inconclusive,
    "unrecovered": unrecovered,
    "hostile": hostile,
}
