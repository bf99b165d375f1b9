"""When did a cluster last have everything that another had? Measured while both are well, for the day when one is
not."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from appliance.control.datapath import DataPath
from appliance.control.replication import Ends, Gauge, in_words, lagging, replicated
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.positions.way_back import WayBack

SECONDS = 15.0


@dataclass
class CatchingUp:
    """Of one source and one target; `measure` is called again and again."""

    data_path: DataPath
    source: Target
    target: Target
    gauge: Gauge
    without: frozenset[str]
    """Topics that are not replicated: canaries'."""
    way_back: WayBack | None
    """What the gauge knows of the last switch."""
    at: float | None = None
    """The last time of which it is known that the target had everything that the source had then."""
    missing: str = "not measured yet"
    """What it lacked at the last look; empty: nothing."""
    _asked: tuple[float, Ends, dict[str, tuple[int, ...]]] | None = field(default=None, repr=False)

    async def measure(self) -> None:
        """Take the source's ends, and see whether the target has come up to those taken before."""
        try:
            with trio.fail_after(SECONDS):
                async with (
                    self.data_path.cluster_client(self.source) as source,
                    self.data_path.cluster_client(self.target) as target,
                ):
                    if self._asked is None:
                        asked_at, topics = trio.current_time(), replicated(await source.topics(), self.without)
                        self._asked = (asked_at, await Ends.of(source, topics), topics)
                    asked_at, ends, topics = self._asked
                    absent = sorted(topics.keys() - (await target.topics()).keys())
                    if absent:
                        self.missing, self._asked = f"topic {absent[0]} is absent on {self.target.name}", None
                        return
                    lags = lagging(await self.gauge.measure(ends, source, target, topics))
        except (ClusterUnreachable, trio.TooSlowError) as error:
            self.missing = str(error) or f"not measured within {SECONDS:g}s"
            self._asked = None  # partitions may have gone: begin anew
        else:
            self.missing = in_words(lags)
            if not lags:
                self.at, self._asked = asked_at, None
