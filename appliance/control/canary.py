"""One try of a canary on one cluster."""

from __future__ import annotations

import trio

from appliance.control.datapath import ClusterView, DataPath
from appliance.control.health import Try
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable
from appliance.resources.failover_policy import Canary

GROUP = "tidegate-canary"
"""It has no members and commits nothing: only its coordinator is asked for."""


async def try_cluster(data_path: DataPath, target: Target, canary: Canary, ordinal: int) -> Try:
    """Try all checks on a cluster with connections of their own; never raises for what the cluster does."""
    at = trio.current_time()
    failure = ""
    try:
        with trio.fail_after(canary.timeout):
            async with data_path.cluster_client(target) as client:
                await _checks(client, canary, ordinal)
    except ClusterUnreachable as error:
        failure = str(error)
    except trio.TooSlowError:
        failure = f"not done within {canary.timeout:g}s"
    return Try(at, failure)


async def _checks(client: ClusterView, canary: Canary, ordinal: int) -> None:
    topics = await client.topics()
    if {"produce", "fetch"} & set(canary.checks):
        partitions = topics.get(canary.topic)
        if not partitions:
            raise ClusterUnreachable(f"the canary's topic {canary.topic} is not there: create it")
        partition = partitions[ordinal % len(partitions)]
        if "produce" in canary.checks:
            offset = await client.write(canary.topic, partition, b"tidegate canary")
        else:
            end = (await client.end_offsets({canary.topic: (partition,)}))[canary.topic, partition]
            offset = end - 1  # what some other try, or someone else, left there
        if "fetch" in canary.checks and offset >= 0 and not await client.reads_at(canary.topic, partition, offset):
            raise ClusterUnreachable(f"{canary.topic}/{partition}: the record at {offset} cannot be fetched")
    if "coordinator" in canary.checks:
        await client.coordinator("group", GROUP)
