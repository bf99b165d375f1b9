"""Faults with their status, leases, and the kill switch."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.views import fault_answer
from appliance.control.datapath import DataPath
from appliance.control.faults import LiveFault
from appliance.control.plane import ControlPlane
from appliance.remote.answers import FaultAnswer, FaultList


def fault_routes(plane: ControlPlane, data_path: DataPath) -> APIRouter:
    """Return what faults have beyond other resources."""
    router = APIRouter(tags=["faults"])

    async def answers(*faults: LiveFault) -> list[FaultAnswer]:
        await data_path.refresh()
        return [fault_answer(each, plane.fault_counts(each)) for each in faults]

    @router.get("/v1/faults", operation_id="listFaults")
    async def list_faults() -> FaultList:
        """Return all faults with their status, those that are over included."""
        return FaultList(items=await answers(*plane.faults.all()))

    @router.get("/v1/faults/{name}", operation_id="getFault")
    async def get_fault(name: str) -> FaultAnswer:
        """Return a fault with its status, also when it is over."""
        return (await answers(plane.faults.get(name)))[0]

    @router.post("/v1/faults/{name}/renew", operation_id="renewFault")
    async def renew_fault(name: str) -> FaultAnswer:
        """Renew the lease of a fault that is alive."""
        return (await answers(plane.renew_fault(name)))[0]

    @router.delete("/v1/faults", operation_id="endFaults")
    async def end_faults() -> FaultList:
        """End all faults at once: the kill switch. Answers with those that were ended."""
        return FaultList(items=await answers(*plane.end_faults()))

    return router
