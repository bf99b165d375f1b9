"""From the scenario's clients to running ones, and how they stand."""

from __future__ import annotations

import math

from appliance.drills.recovery import GAP_FACTOR, SHORTEST_GAP_SECONDS, STABLE_SECONDS
from appliance.drills.scenario import Scenario
from appliance.drills.scenario.traffic import Client as ClientPlan
from appliance.drills.stage import Stage
from appliance.drills.traffic.canary import Canary
from appliance.drills.traffic.client import Client, Site
from appliance.drills.traffic.reader import Reader
from appliance.drills.watching import ClientStanding, Standing
from appliance.journal.events import ClientError, ClientStarted

CONNECT_SECONDS = 30.0


async def start_clients(stage: Stage, starts: str) -> None:
    """Start the clients whose time has come (`baseline` or a step's id) and wait until they see their topics.

    Raises ClientsDidNotConnectError.
    """
    plans = [each for each in stage.scenario.traffic if each.work.starts == starts]
    if not plans:
        return
    clients = [_make(stage.scenario, each, stage.site) for each in plans]
    stage.progress.say(f"connecting {', '.join(each.name for each in clients)} through the gateway")
    await stage.fleet.start(clients, CONNECT_SECONDS)
    for client in clients:
        stage.record.add(
            ClientStarted(
                at=stage.clock(), client=client.name, role=client.role, topic=client.topic, detail=client.detail
            )
        )


def _make(scenario: Scenario, plan: ClientPlan, site: Site) -> Client:
    partitions = scenario.lab.topics[plan.work.topic].partitions
    site.logbook.enrol(plan.name, _gap_limit(scenario, plan))
    if plan.produce is not None:
        return Canary(plan.name, plan.produce, site, partitions=partitions)
    assert plan.consume is not None, "the model's clients produce or consume"
    return Reader(plan.name, plan.consume, site, partitions=partitions)


def _gap_limit(scenario: Scenario, plan: ClientPlan) -> float:
    """Return the silence that the declared rates explain, by the measure that `recovery` takes afterwards."""
    producers = [each.produce for each in scenario.traffic if each.produce and each.produce.topic == plan.work.topic]
    rate = plan.produce.rate if plan.produce else sum(each.rate for each in producers)
    return max(SHORTEST_GAP_SECONDS, GAP_FACTOR / rate) if rate else math.inf


def unsettled(stage: Stage) -> list[str]:
    """Return the clients that have not worked without a failure or a gap for long enough."""
    now = stage.clock()
    return [
        each.name for each in stage.fleet.clients if stage.logbook.tallies[each.name].calm_for(now) < STABLE_SECONDS
    ]


def tell_troubles(stage: Stage) -> None:
    """Record the errors that applications saw since the last call, one event per client and error."""
    for (client, error), count in stage.logbook.new_troubles().items():
        stage.record.add(ClientError(at=stage.clock(), client=client, error=error, count=count))


def standing(stage: Stage) -> Standing:
    """Return how the run stands."""
    now = stage.clock()
    rows = [_client_standing(stage, each, now) for each in stage.fleet.clients]
    disrupted = stage.disrupted_at
    hurt = [each for each in rows if not each.calm]
    back = [tally.calm_since for each in rows if (tally := stage.logbook.tallies[each.name]).calm_since is not None]
    since = None if disrupted is None else max(back, default=0.0) - disrupted
    return Standing(
        at=now,
        clients=rows,
        acknowledged=sum(each.successes for each in rows if each.role == "producer"),
        unseen=_unseen(stage),
        disrupted_for=now - disrupted if disrupted is not None and hurt else None,
        recovered_after=since if since is not None and since > 0 and not hurt else None,
    )


def _unseen(stage: Stage) -> int | None:
    """Return how many acknowledged records some strict reader of their topic has not got yet."""
    tallies, clients = stage.logbook.tallies, stage.fleet.clients
    readers = [each for each in clients if each.role == "assigned-consumer"]
    if not readers:
        return None
    count = 0
    for topic in {each.topic for each in readers}:
        written = sum(
            tallies[each.name].successes for each in clients if (each.role, each.topic) == ("producer", topic)
        )
        count += max(0, written - min(tallies[each.name].successes for each in readers if each.topic == topic))
    return count


def _client_standing(stage: Stage, client: Client, now: float) -> ClientStanding:
    tally = stage.logbook.tallies[client.name]
    silent = None if tally.last_success is None or tally.gap_limit == math.inf else now - tally.last_success
    return ClientStanding(
        name=client.name,
        role=client.role,
        successes=tally.successes,
        troubles=tally.troubles,
        silent_seconds=silent,
        longest_gap=tally.longest_gap,
        calm=tally.calm_for(now) >= STABLE_SECONDS,
    )
