"""Is it alive, is it ready, how is everything?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from appliance.api.problems import problem
from appliance.api.views import policy_answer, status_answer
from appliance.control.datapath import DataPath
from appliance.control.errors import ConflictError
from appliance.control.plane import ControlPlane
from appliance.remote.answers import PolicyAnswer, StatusAnswer


class Fine(BaseModel):
    status: Literal["ok"] = "ok"


def health_routes(plane: ControlPlane, data_path: DataPath, ready: Callable[[], bool]) -> APIRouter:
    """Return status and the probes; `ready` tells whether all doors are open."""
    router = APIRouter(tags=["status"])

    @router.get("/v1/status", operation_id="status")
    async def status() -> StatusAnswer:
        """Return the whole gateway at a glance."""
        await data_path.refresh()
        writes = {name: data_path.writes_in_flight(name) for name in plane.catalogue.virtual_clusters}
        return status_answer(plane, data_path.facts(), writes, data_path.workers())

    @router.get("/v1/failoverpolicies/{name}/status", operation_id="policyStatus")
    async def of_policy(name: str) -> PolicyAnswer:
        """Return what a failover policy thinks, and what it saw and did."""
        plane.get("FailoverPolicy", name)
        watch = plane.failover.watch(name)
        if watch is None:
            raise ConflictError(f"FailoverPolicy {name} is not at work yet")
        return policy_answer(watch)

    @router.get("/livez", operation_id="livez")
    async def livez() -> Fine:
        """Return 200 while the event loop turns."""
        return Fine()

    @router.get("/readyz", operation_id="readyz", response_model=Fine, responses={503: {"description": "not yet"}})
    async def readyz() -> Fine | JSONResponse:
        """Return 200 once all doors are open."""
        return Fine() if ready() else problem(503, "the doors are not open yet")

    return router
