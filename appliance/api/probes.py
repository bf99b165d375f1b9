"""`/livez` and `/readyz`, as Kubernetes asks: is it to be restarted, may it get clients?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from appliance.api.problems import problem
from appliance.control.datapath import DataPath
from appliance.control.plane import ControlPlane
from appliance.resources.envelope import parse_address

SILENT_SECONDS = 20.0
"""After which a process does not turn any more. A worker of several is replaced before that: if it was not, its
supervisor does not turn either."""


class Fine(BaseModel):
    status: Literal["ok"] = "ok"


def probe_routes(plane: ControlPlane, data_path: DataPath, ready: Callable[[], bool]) -> APIRouter:
    """Return the probes; `ready` tells whether clients are taken in."""
    router = APIRouter(tags=["status"])

    @router.get("/livez", operation_id="livez", response_model=Fine, responses={503: {"description": "stuck"}})
    async def livez() -> Fine | JSONResponse:
        """Return 200 while every process turns: trio, or this would not be answered, and the data path beside it."""
        stuck = [
            f"process {each.number} (pid {each.pid}) has shown no sign of life for {each.silence:.0f} s"
            for each in data_path.workers()
            if each.pid is not None and each.silence > SILENT_SECONDS
        ]
        return problem(503, "the gateway is stuck", stuck) if stuck else Fine()

    @router.get("/readyz", operation_id="readyz", response_model=Fine, responses={503: {"description": "not yet"}})
    async def readyz() -> Fine | JSONResponse:
        """Return 200 while clients can be served: doors open, the newest configuration in effect in every process, and
        the cluster of every virtual cluster known."""
        if not ready():
            return problem(503, "the doors are not open yet")
        await data_path.refresh()
        reasons = list(_reasons(plane, data_path))
        return problem(503, "clients cannot be served as they should", reasons) if reasons else Fine()

    return router


def _reasons(plane: ControlPlane, data_path: DataPath) -> Iterator[str]:
    """Say all that is missing. A cluster that was known once stays known: that it is away now is its clients' to hear,
    and taking the gateway out of service as well would not help them."""
    facts = data_path.facts()
    for listener in plane.catalogue.listeners.values():
        host, port = parse_address(listener.spec.bind)
        if (host, port) not in facts.doors:
            yield f"listener {listener.name}: {host}:{port} is not open: the log says why"
    for worker in data_path.workers():
        if worker.pid is not None and 0 < worker.edition < plane.version:
            yield f"process {worker.number} serves configuration {worker.edition}, and not yet {plane.version}"
    for name in plane.catalogue.virtual_clusters:
        serving = plane.serving(name)
        cluster_id, _ = facts.clusters.get(serving, (None, {}))
        if cluster_id is None:
            yield f"virtual cluster {name}: {facts.failures.get(serving, f'cluster {serving} has not answered yet')}"
