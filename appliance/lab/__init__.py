"""Kafka clusters on this machine, for demos, drills and tests; started by one call, ended with it.

    async with open_lab(LabPlan((ClusterPlan("primary", brokers=3),)), directory=Path("...")) as lab:
        await lab.clusters["primary"].kill(2)

Three kinds: `apache` (real Kafka and MirrorMaker 2 on a Java runtime, all from Python packages), `docker` (the same
in containers) and `embedded` (one node in memory, there in milliseconds, for what needs no cluster behaviour).
`opening` chooses one, starts and ends it; a `Backend` (`apache`, `docker`, `embedded`) makes its clusters and
replication; `Cluster` is what can be done to it, and a `Runner` carries each broker. Each process of a lab has a
`guardian`, which ends it when we end, however that is.

This ring knows processes, ports and Kafka's settings. It knows nothing of the gateway: a drill puts the two together.
"""

from appliance.lab.cluster import Broker, Cluster
from appliance.lab.errors import BrokerFailed, EngineUnavailable, JarDiffers, JarsUnavailable, LabError
from appliance.lab.lab import Kind, Lab
from appliance.lab.opening import Choice, open_lab
from appliance.lab.plans import ClusterPlan, LabPlan, ReplicationPlan
from appliance.lab.runners import State

__all__ = [
    "Broker",
    "BrokerFailed",
    "Choice",
    "Cluster",
    "ClusterPlan",
    "EngineUnavailable",
    "JarDiffers",
    "JarsUnavailable",
    "Kind",
    "Lab",
    "LabError",
    "LabPlan",
    "ReplicationPlan",
    "State",
    "open_lab",
]
