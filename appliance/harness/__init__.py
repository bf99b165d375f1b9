"""Fixtures for pytest: real Kafka clusters, shared by a session. Load with `pytest_plugins = ["appliance.harness"]`.

`kafka_cluster` (one broker), `three_brokers`, `replicated_lab` (primary, standby, MirrorMaker 2) are Apache Kafka
on a JVM and live as long as the session; mark their tests `@pytest.mark.kafka`. After each test, what it killed,
stopped or paused is brought back. `embedded_cluster` and `embedded_lab` are in memory and fresh for each test;
`shared_labs` opens other plans; `fresh_name` names topics and groups. They are handed out as `BlockingLab` and
`BlockingCluster`, which work from plain tests, and from trio tests through `trio.to_thread.run_sync`.
"""

from appliance.harness.blocking import BlockingCluster, BlockingLab
from appliance.harness.fixtures import (
    SharedLabs,
    _heal_shared_labs,
    embedded_cluster,
    embedded_lab,
    fresh_name,
    kafka_cluster,
    replicated_lab,
    shared_labs,
    three_brokers,
)

__all__ = [
    "BlockingCluster",
    "BlockingLab",
    "SharedLabs",
    "_heal_shared_labs",
    "embedded_cluster",
    "embedded_lab",
    "fresh_name",
    "kafka_cluster",
    "replicated_lab",
    "shared_labs",
    "three_brokers",
]
