"""The topic ids of clusters that can be lost, remembered while they can still be asked.

Clients keep them across a switchover (`policies.positions.topic_ids`), and an unplanned one cannot ask for them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import trio

from appliance.control.asking import Asking
from appliance.control.datapath import DataPath
from appliance.control.errors import StateError
from appliance.exchange.route import Target

LOOK_EVERY = 30.0
"""Seconds. A topic that is younger than this when its cluster dies is shown with another id afterwards."""

log = logging.getLogger("tidegate.control")

Seen = Mapping[str, Mapping[str, bytes]]
"""Cluster -> topic -> its id, 16 bytes."""


class TopicIdMemory:
    """Looks at the clusters, asked for anew each time, and has `keep` write down what has changed."""

    def __init__(
        self,
        data_path: DataPath,
        clusters: Callable[[], Mapping[str, Target]],
        seen: Seen,
        keep: Callable[[Seen], Awaitable[object]],
    ) -> None:
        self._asking = Asking(data_path)
        self._clusters = clusters
        self._keep = keep
        self.seen = seen

    async def run(self) -> None:
        """Look every half minute until cancelled."""
        while True:
            clusters = self._clusters()
            seen = {name: its for name, its in self.seen.items() if name in clusters}
            for name, target in clusters.items():
                ids = await self._asking.ask(target, f"the topic ids of {name}", lambda view: view.topic_ids())
                if ids:
                    seen[name] = ids
            if seen != self.seen:
                self.seen = seen
                try:
                    await self._keep(seen)
                except StateError as error:
                    log.warning("topic ids are remembered until the gateway ends, and no longer: %s", error)
            await trio.sleep(LOOK_EVERY)
