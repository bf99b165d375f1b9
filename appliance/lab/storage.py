"""The formatting of Kafka nodes' storage: by Kafka's own tool once a cluster, copied to its other nodes.

The tool is a JVM that takes a second a node. What it writes is small and the same for all nodes of a cluster but
for the ids: `meta.properties` (version 1) names the cluster, the node and the directory; `bootstrap.checkpoint`
holds the feature levels, and without it a cluster would come up without the newer ones (KIP-848 groups, share
groups).
"""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from appliance.lab.errors import BrokerFailed
from appliance.lab.java import Java
from appliance.lab.kafka_settings import DATA_KEY
from appliance.lab.processes import last_lines, start_guarded

_META = "meta.properties"
_BOOTSTRAP = "bootstrap.checkpoint"


def new_kafka_uuid() -> str:
    """Return a random id in Kafka's form: 16 bytes in URL-safe base64, without padding and without a leading dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # a command line would take it for an option; Kafka throws such ids away too
    return text


async def format_storage(java: Java, settings: Mapping[Path, Mapping[str, str]], log: Path) -> None:
    """Format the storage of all nodes of a new cluster; `settings` are their property files and what these hold.

    Raises BrokerFailed where Kafka's tool refuses the settings.
    """
    (first, properties), *others = settings.items()
    cluster_id = new_kafka_uuid()
    tool = await start_guarded(
        java.command("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(first)), log
    )
    try:
        if await tool.wait() != 0:
            raise BrokerFailed(
                f"expected Kafka's storage tool to accept {first}; its log {log} ends with:\n{last_lines(log)}"
            )
    finally:
        await tool.aclose()
    formatted = Path(properties[DATA_KEY])
    for _, other in others:
        folder = Path(other[DATA_KEY])
        folder.mkdir(parents=True)  # noqa: ASYNC240  # a few small files, once a cluster
        shutil.copyfile(formatted / _BOOTSTRAP, folder / _BOOTSTRAP)
        meta = {
            "version": "1",
            "cluster.id": cluster_id,
            "node.id": other["node.id"],
            "directory.id": new_kafka_uuid(),
        }
        (folder / _META).write_text("".join(f"{key}={value}\n" for key, value in meta.items()))
