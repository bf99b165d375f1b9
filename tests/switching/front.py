"""The gateway before the pair, as a user declares it, with its remedies on or off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import trio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from appliance.lab.ports import PortLeases
from appliance.policies.positions.way_back import WayBack
from appliance.remote.answers import SwitchoverAnswer, SwitchoverMode
from appliance.remote.client import ControlApi
from appliance.remote.errors import UnreachableError
from tests.matrix.access import Access
from tests.matrix.ways import NODES, TIDEGATE, Way, new_password, row_of_ports, serving
from tests.switching.pair import Pair, Place

Remedies = Literal["on", "off", "rebootstrap"]
"""`rebootstrap`: on, and clients that do as they are told are told to start over."""
VIRTUAL_CLUSTER = "matrix"
_ON: Mapping[str, Any] = {"offsets": "continuous"}
_SPECS: Mapping[Remedies, Mapping[str, Any]] = {
    "on": _ON,
    "rebootstrap": _ON,
    "off": {
        "producer_ids": "plain",
        "remedies": {
            "rejoin": "off",
            "heartbeats": "off",
            "hold_fetch": "off",
            "leader_epochs": "off",
            "topic_ids": "off",
            "group_offsets": "off",
            "held_writes": "off",
            "transactions": "off",
        },
    },
}
"""What is declared beside the clusters: all that the gateway can do, and a plain switch of the upstream."""
SWITCH_SECONDS = 180.0
"""More than a switchover with its holds may take."""


class NoSwitchError(Exception):
    """A switchover did not take place; the message says what it said."""


@dataclass(frozen=True)
class Front:
    """The gateway: where clients go in, and where it is told to switch."""

    way: Way
    api: str
    token: str
    state: Path
    """The folder that it keeps its state in."""

    @property
    def access(self) -> Access:
        """How clients get in."""
        return self.way.access

    async def rebootstraps(self) -> int:
        """Return how often a client was told to start over."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self.token}"}) as http:
            shown = (await http.get(f"http://{self.api}/metrics")).raise_for_status().text
        samples = [sample for family in text_string_to_metric_families(shown) for sample in family.samples]
        return sum(int(each.value) for each in samples if each.labels.get("error") == "REBOOTSTRAP_REQUIRED")

    def beginnings(self) -> dict[Place, int]:
        """Return the offsets at which the cluster that serves now began to write itself, where that is known."""
        kept = json.loads((self.state / "state.json").read_text(encoding="utf-8"))
        way_back = WayBack.of_json(kept["positions"][VIRTUAL_CLUSTER]["way_back"])
        return {
            Place(topic, partition): ends.source
            for topic, its in way_back.topics.items()
            for partition, ends in its.partitions.items()
        }

    async def switch(self, to: str, mode: SwitchoverMode) -> SwitchoverAnswer:
        """Switch and wait for the end of it. Raises NoSwitchError unless that is `done`."""
        async with ControlApi(self.api, token=self.token, timeout=SWITCH_SECONDS) as api:
            found = await api.start_switchover(VIRTUAL_CLUSTER, to, mode=mode)
            with trio.move_on_after(SWITCH_SECONDS):
                while not found.over:
                    await trio.sleep(0.2)
                    with suppress(UnreachableError):  # asked again
                        found = await api.switchover(VIRTUAL_CLUSTER)
        if found.state != "done":
            raise NoSwitchError(f"{mode} to {to}: {found.state}: {found.detail}")
        return found


def seconds_of(found: SwitchoverAnswer) -> dict[str, float]:
    """Return when each step of a switchover was entered first, in seconds since 1970."""
    entered: dict[str, float] = {}
    for each in found.history:
        entered.setdefault(each.state, datetime.fromisoformat(each.at).timestamp())
    return entered


@asynccontextmanager
async def open_front(
    pair: Pair, remedies: Remedies, ports: PortLeases, folder: Path, *, told: Iterable[str] = ()
) -> AsyncIterator[Front]:
    """Run the gateway before the pair until the block ends; `told` is the software of clients that are told to start
    over. Raises NoWayError."""
    port, api = row_of_ports(ports), f"127.0.0.1:{ports.take()}"
    await trio.Path(folder).mkdir(parents=True)
    token = new_password(folder / "token")
    declared = folder / "resources.yaml"
    spec = {**_SPECS[remedies], "rebootstrap": [{"software": each} for each in told]}
    declared.write_text(_resources(pair, spec, port), encoding="utf-8")
    command = [*TIDEGATE, "serve", "-f", str(declared), "--api", api, "--api-token-file", str(token)]
    async with serving(command, folder) as log:
        brokers = ",".join(",".join(pair.cluster(name).bootstrap) for name in ("primary", "standby"))
        way = Way(Access(f"127.0.0.1:{port}"), brokers, frozenset(range(port, port + NODES)), log)
        yield Front(way, api, token.read_text(encoding="utf-8"), folder / "state")


def _resources(pair: Pair, spec: Mapping[str, Any], port: int) -> str:
    specs: list[tuple[str, str, dict[str, Any]]] = [
        ("Cluster", name, {"bootstrap": pair.cluster(name).bootstrap}) for name in ("primary", "standby")
    ]
    virtual = {"cluster": "primary", "standbys": ["standby"], "replication": "mirrormaker", **spec}
    listener = {
        "bind": f"127.0.0.1:{port}",
        "virtual_cluster": VIRTUAL_CLUSTER,
        "broker_ports": {"first": port + 1, "count": NODES - 1},
    }
    specs += [("VirtualCluster", VIRTUAL_CLUSTER, virtual), ("Listener", VIRTUAL_CLUSTER, listener)]
    return yaml.safe_dump_all(
        {"apiVersion": "tidegate/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in specs
    )
