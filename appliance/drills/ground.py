"""The ground of a drill, made ready: topics on their clusters, replication, and what the clusters say of themselves."""

from __future__ import annotations

import platform
from importlib.metadata import version

import confluent_kafka

from appliance import __version__
from appliance.drills.declarations import FoundCluster, setting_text
from appliance.drills.looking import look_at
from appliance.drills.record import RunClock, RunRecord
from appliance.drills.scenario.lab import Lab as LabSection
from appliance.drills.watching import Progress
from appliance.journal.events import ClusterDescribed, Noted
from appliance.lab import Lab, LabError

_KAFKA_NAMES = ("kafka", "tansu")


def own_versions() -> dict[str, str]:
    """Return what we bring ourselves, software -> version."""
    return {
        "tidegate": __version__,
        "python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
        "confluent-kafka": version("confluent-kafka"),
    }


def found_clusters(lab: Lab) -> dict[str, FoundCluster]:
    """Return what the gateway must know of the lab's clusters."""
    return {name: FoundCluster(each.bootstrap, sorted(each.brokers)) for name, each in lab.clusters.items()}


async def lay_ground(section: LabSection, lab: Lab, clock: RunClock, record: RunRecord, progress: Progress) -> None:
    """Create the topics, then let replication begin: what has expired by then never comes to the standby."""
    older = {name: plan.log_start_offset for name, plan in section.topics.items() if plan.log_start_offset}
    if section.replication is not None and older:
        await lab.stop_replication()  # of a lab from outside; one that was opened for this drill waits
    await _create_topics(section, lab, progress)
    for name, offset in older.items():
        where, replication = section.clusters_of(name), section.replication
        text = f"{name} begins at offset {offset} in each partition on {', '.join(where)}"
        if replication is not None and replication.source in where and replication.target not in where:
            text += f"; so offsets on {replication.target} are lower by as many"
        record.add(Noted(at=clock(), text=text))
    if section.replication is not None:
        progress.say("starting replication")
        await lab.start_replication()


async def _create_topics(section: LabSection, lab: Lab, progress: Progress) -> None:
    """Create the scenario's topics where they belong; those that a lab from outside has already are left alone."""
    for name, plan in section.topics.items():
        for where in section.clusters_of(name):
            cluster = lab.clusters[where]
            seen = await look_at(cluster.bootstrap, [])
            if seen is not None and name in seen.topics:
                continue
            progress.say(f"creating topic {name} with {plan.partitions} partitions on {where}")
            configs = {key: setting_text(value) for key, value in plan.properties.items()}
            factor = plan.replication_factor
            if factor is not None and factor > len(cluster.brokers):
                factor = len(cluster.brokers)  # the embedded lab has one node, whatever was planned
            await cluster.create_topic(
                name,
                plan.partitions,
                configs,
                replication_factor=factor,
                log_start_offset=plan.log_start_offset,
            )


async def describe_clusters(section: LabSection, lab: Lab, clock: RunClock, record: RunRecord) -> None:
    """Record every cluster's id, version and brokers. Raises LabError for one that does not answer."""
    software = next((f"{name} {lab.versions[name]}" for name in _KAFKA_NAMES if name in lab.versions), "")
    for name, cluster in lab.clusters.items():
        seen = await look_at(cluster.bootstrap, [])
        if seen is None:
            raise LabError(f"cluster {name}: expected an answer about its metadata, found none")
        record.add(
            ClusterDescribed(
                at=clock(),
                cluster=name,
                cluster_id=seen.cluster_id,
                brokers=sorted(cluster.brokers),
                version=software.removeprefix("kafka "),
                role="primary" if name == section.virtual_cluster.cluster else "standby",
            )
        )
