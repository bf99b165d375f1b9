"""Steps that do something to real parts, and what healing owes for each.

Healing starts or resumes brokers. It never starts replication again, whoever stopped it: by then another cluster
may serve, and what the first still held back would turn up in its log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import trio

from appliance.drills.scenario.steps import LabAction
from appliance.drills.stage import Stage
from appliance.journal.events import LabActed
from appliance.lab import Cluster

BrokersVerb = Literal["kill", "stop", "pause", "resume", "start"]


async def act(stage: Stage, action: LabAction) -> None:
    """Do it; healing owes the remedy from before it is done. Raises LabError."""
    verb = action.verb
    if verb == "stop-replication" or verb == "start-replication":  # noqa: PLR1714 - the type checker narrows this
        await _act_on_replication(stage, verb)
        return
    assert action.cluster is not None, "the model's verbs for brokers name a cluster"
    cluster = stage.lab.clusters[action.cluster]
    if verb in {"kill", "stop", "pause"}:
        stage.disrupted()
        stage.healing.owe(_key(cluster), f"bringing back brokers of {cluster.name}", lambda: bring_back(stage, cluster))
    await _do(stage, cluster, verb, action.brokers or sorted(cluster.brokers))
    if all(each.state == "running" for each in cluster.brokers.values()):
        stage.healing.paid(_key(cluster))


async def bring_back(stage: Stage, cluster: Cluster) -> None:
    """Resume what is paused and start what is stopped. Raises LabError."""
    for state, verb in (("paused", "resume"), ("stopped", "start")):
        nodes = [each.node_id for each in cluster.brokers.values() if each.state == state]
        if nodes:
            await _do(stage, cluster, "resume" if verb == "resume" else "start", nodes)


async def _act_on_replication(stage: Stage, verb: Literal["stop-replication", "start-replication"]) -> None:
    if verb == "stop-replication":
        # As when the region that it runs in is lost: what it had in hand is not written first.
        await stage.lab.stop_replication(kill=True)
    else:
        await stage.lab.start_replication()
    section = stage.scenario.lab.replication
    stage.record.add(LabActed(at=stage.clock(), action=verb, cluster=section.source if section else ""))


async def _do(stage: Stage, cluster: Cluster, verb: BrokersVerb, nodes: Sequence[int]) -> None:
    deeds: dict[BrokersVerb, Callable[[int | None], Awaitable[None]]] = {
        "kill": cluster.kill,
        "stop": cluster.stop,
        "pause": cluster.pause,
        "resume": cluster.resume,
        "start": cluster.start,
    }
    at = stage.clock()
    if set(nodes) == set(cluster.brokers):
        await deeds[verb](None)
    else:  # together: one broker of a quorum alone does not come up
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(deeds[verb], node)
    # Harm counts from when it began, a remedy from when it has worked.
    at = at if verb in {"kill", "stop", "pause"} else stage.clock()
    stage.record.add(LabActed(at=at, action=verb, cluster=cluster.name, brokers=list(nodes)))


def _key(cluster: Cluster) -> str:
    return f"brokers/{cluster.name}"
