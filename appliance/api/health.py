"""How is everything?"""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.views import policy_answer, status_answer
from appliance.control.datapath import DataPath
from appliance.control.errors import ConflictError
from appliance.control.plane import ControlPlane
from appliance.remote.answers import PolicyAnswer, StatusAnswer


def health_routes(plane: ControlPlane, data_path: DataPath) -> APIRouter:
    """Return the status."""
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

    return router
