"""What a scenario gives up on the embedded lab, so that it can run there at all; every bit of it is told.

The embedded broker keeps the state of idempotent producers apart in each cluster and refuses an id that it has not
handed out itself (UNKNOWN_PRODUCER_ID, for good), where Apache Kafka takes it. So ids go untagged; and as no idempotent
producer survives a switchover there, tagged or plain, producers of a scenario with one go without idempotence, one
request in flight. What only idempotence can absorb is left out then: faults that lose the answer to a batch which the
broker has stored, and errors that make the library send a batch again, since it has put the next one together by then
and sends that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from appliance.drills.scenario import Lab, Scenario
from appliance.drills.scenario.steps import Step
from appliance.drills.scenario.traffic import Client
from appliance.lab import Kind

_STAY = {"metadata.recovery.strategy": "none"}
"""For librdkafka: when the connection to its only broker breaks it begins anew with the bootstrap servers, and throws
the connection away that it has made meanwhile; it takes what was sent there for not stored, and sends it again."""


@dataclass(frozen=True)
class Adapted:
    """A scenario as it is run, and what was changed, for the report."""

    scenario: Scenario
    changes: tuple[str, ...] = ()
    impossible: str = ""
    """Why this lab cannot show what the scenario is about, empty if it can."""


def adapt(scenario: Scenario, kind: Kind) -> Adapted:
    """Return the scenario as this kind of lab can run it."""
    if kind != "embedded":
        return Adapted(scenario)
    if older := [name for name, plan in scenario.lab.topics.items() if plan.log_start_offset]:
        return Adapted(
            scenario,
            impossible=f"this scenario is about logs whose older records have expired ({', '.join(older)}), and the "
            "embedded broker cannot delete records: run it on apache or docker",
        )
    idempotent = {each.name for each in scenario.traffic if each.produce and each.produce.idempotent}
    if not idempotent:
        return Adapted(scenario)
    if not _switches(scenario):
        return _untagged(scenario)
    if any(idempotent & set(step.turns.clients) for step in scenario.steps if step.turns):
        return Adapted(
            scenario,
            impossible="this scenario is about idempotent producers across a switchover, which the embedded broker "
            "does not support: run it on apache or docker",
        )
    dropped = [step.id for step in scenario.steps if _needs_idempotence(step, idempotent)]
    changes = [
        f"without idempotence, one request in flight: {', '.join(sorted(idempotent))} "
        "(the embedded broker refuses producers that another cluster knows)"
    ]
    if dropped:
        changes.append(f"steps left out, because only idempotence can absorb them: {', '.join(dropped)}")
    return Adapted(
        scenario.model_copy(
            update={
                "lab": _with_plain_ids(scenario),
                "traffic": [_careful(each) for each in scenario.traffic],
                "steps": [each for each in scenario.steps if each.id not in dropped],
            }
        ),
        tuple(changes),
    )


def _untagged(scenario: Scenario) -> Adapted:
    if scenario.lab.virtual_cluster.producer_ids == "plain":
        return Adapted(scenario)
    change = "producer ids are not tagged (the embedded broker refuses those that it has not handed out)"
    return Adapted(scenario.model_copy(update={"lab": _with_plain_ids(scenario)}), (change,))


def _with_plain_ids(scenario: Scenario) -> Lab:
    virtual = scenario.lab.virtual_cluster.model_copy(update={"producer_ids": "plain"})
    return scenario.lab.model_copy(update={"virtual_cluster": virtual})


def _switches(scenario: Scenario) -> bool:
    return any(step.switchover for step in scenario.steps)


def _needs_idempotence(step: Step, idempotent: set[str]) -> bool:
    fault = step.fault
    if fault is None or (fault.outage is None and fault.error is None):
        return False
    concerned = fault.select.client_id or "*"
    writes = fault.select.apis is None or "Produce" in fault.select.apis
    return writes and any(fnmatchcase(name, concerned) for name in idempotent)


def _careful(client: Client) -> Client:
    if client.produce is None or not client.produce.idempotent:
        return client
    update = {"idempotent": False, "in_flight": 1, "settings": {**_STAY, **client.produce.settings}}
    return client.model_copy(update={"produce": client.produce.model_copy(update=update)})
