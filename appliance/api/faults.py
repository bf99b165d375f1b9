"""Faults with their status, leases, and the kill switch."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.views import fault_answer
from appliance.control.plane import ControlPlane
from appliance.remote.answers import FaultAnswer, FaultList


def fault_routes(plane: ControlPlane) -> APIRouter:
    """Return what faults have beyond other resources."""
    router = APIRouter(tags=["faults"])

    @router.get("/v1/faults", operation_id="listFaults")
    async def list_faults() -> FaultList:
        """Return all faults with their status, those that are over included."""
        return FaultList(items=[fault_answer(each) for each in plane.faults.all()])

    @router.get("/v1/faults/{name}", operation_id="getFault")
    async def get_fault(name: str) -> FaultAnswer:
        """Return a fault with its status, also when it is over."""
        return fault_answer(plane.faults.get(name))

    @router.post("/v1/faults/{name}/renew", operation_id="renewFault")
    async def renew_fault(name: str) -> FaultAnswer:
        """Renew the lease of a fault that is alive."""
        return fault_answer(plane.renew_fault(name))

    @router.delete("/v1/faults", operation_id="endFaults")
    async def end_faults() -> FaultList:
        """End all faults at once: the kill switch. Answers with those that were ended."""
        return FaultList(items=[fault_answer(each) for each in plane.end_faults()])

    return router
