"""Starting a switchover, following it, steering it, and looking back at the last ones."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from appliance.api.audited import note
from appliance.api.views import switchover_answer
from appliance.control.errors import UnknownError
from appliance.control.plane import ControlPlane
from appliance.control.switchover import Switchover
from appliance.remote.answers import SwitchoverAnswer, SwitchoverList, SwitchoverRequest

OF_ONE = "/v1/virtualclusters/{name}/switchover"
OF_ALL = "/v1/clusters/{name}/switchover"
HISTORY = "/v1/switchovers"


def switchover_routes(plane: ControlPlane) -> APIRouter:
    """Return the routes of switchovers."""
    router = APIRouter(tags=["switchover"])

    @router.post(OF_ONE, operation_id="startSwitchover", status_code=202)
    async def start(name: str, request: SwitchoverRequest, http: Request) -> SwitchoverAnswer:
        """Start a switchover; follow it with GET of the same path. Over at once when `to` serves already."""
        _note(http, request)
        return switchover_answer(plane.start_switchover(name, request.to, **_asked(request)))

    @router.post(OF_ALL, operation_id="startSwitchoverOfAll", status_code=202)
    async def start_all(name: str, request: SwitchoverRequest, http: Request) -> SwitchoverAnswer:
        """Start one switchover of all virtual clusters that a cluster serves: all of them move, or none."""
        _note(http, request)
        return switchover_answer(plane.start_switchover_of_all(name, request.to, **_asked(request)))

    @router.get(OF_ONE, operation_id="getSwitchover")
    async def follow(name: str) -> SwitchoverAnswer:
        """Return the latest switchover of a virtual cluster."""
        return switchover_answer(_latest(plane, name))

    @router.delete(OF_ONE, operation_id="cancelSwitchover", status_code=202)
    async def cancel(name: str) -> SwitchoverAnswer:
        """Take back the switchover that a virtual cluster is in; refused behind the point of no return."""
        return switchover_answer(plane.switchovers.cancel(_latest(plane, name), "by the API"))

    @router.get(HISTORY, operation_id="listSwitchovers")
    async def history(virtual_cluster: str | None = None) -> SwitchoverList:
        """Return the last switchovers, the newest first."""
        return SwitchoverList(
            items=[
                switchover_answer(each)
                for each in reversed(plane.switchovers.all())
                if virtual_cluster is None or virtual_cluster in each.virtual_clusters
            ]
        )

    @router.get(f"{HISTORY}/{{id}}", operation_id="getSwitchoverById")
    async def one(id: str) -> SwitchoverAnswer:  # noqa: A002 - the path's word
        """Return a switchover by its id."""
        return switchover_answer(plane.switchovers.get(id))

    @router.delete(f"{HISTORY}/{{id}}", operation_id="cancelSwitchoverById", status_code=202)
    async def cancel_one(id: str) -> SwitchoverAnswer:  # noqa: A002
        """Take a switchover back; refused behind the point of no return."""
        return switchover_answer(plane.switchovers.cancel(plane.switchovers.get(id), "by the API"))

    @router.post(f"{HISTORY}/{{id}}/continue", operation_id="continueSwitchover", status_code=202)
    async def go_on(id: str) -> SwitchoverAnswer:  # noqa: A002
        """Let a switchover go on from its pause."""
        return switchover_answer(plane.switchovers.go_on(plane.switchovers.get(id)))

    return router


def _asked(request: SwitchoverRequest) -> dict[str, Any]:
    """Return the order's values, beside whom and where to."""
    values = {name: getattr(request, name) for name in SwitchoverRequest.model_fields if name != "to"}
    return {**values, "pause_before": tuple(request.pause_before)}


def _note(http: Request, request: SwitchoverRequest) -> None:
    note(http, to=request.to, mode=request.mode, dry_run=request.dry_run)


def _latest(plane: ControlPlane, name: str) -> Switchover:
    switchover = plane.switchover(name)
    if switchover is None:
        plane.serving(name)
        raise UnknownError(f"there was no switchover of {name} yet")
    return switchover
