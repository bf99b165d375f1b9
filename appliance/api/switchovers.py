"""Starting a switchover and following it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from appliance.api.audited import note
from appliance.api.views import switchover_answer
from appliance.control.errors import UnknownError
from appliance.control.plane import ControlPlane
from appliance.remote.answers import SwitchoverAnswer, SwitchoverRequest

PATH = "/v1/virtualclusters/{name}/switchover"


def switchover_routes(plane: ControlPlane) -> APIRouter:
    """Return the routes of switchovers."""
    router = APIRouter(tags=["switchover"])

    @router.post(PATH, operation_id="startSwitchover", status_code=202)
    async def start(name: str, request: SwitchoverRequest, http: Request) -> SwitchoverAnswer:
        """Start a switchover; follow it with GET of the same path. Over at once when `to` serves already."""
        note(http, to=request.to, mode=request.mode, dry_run=request.dry_run)
        switchover = plane.start_switchover(
            name,
            request.to,
            mode=request.mode,
            hold=request.hold,
            dry_run=request.dry_run,
            leave_records_behind=request.leave_records_behind,
        )
        return switchover_answer(switchover)

    @router.get(PATH, operation_id="getSwitchover")
    async def follow(name: str) -> SwitchoverAnswer:
        """Return the latest switchover of a virtual cluster."""
        switchover = plane.switchover(name)
        if switchover is None:
            plane.serving(name)
            raise UnknownError(f"there was no switchover of {name} since the gateway started")
        return switchover_answer(switchover)

    return router
