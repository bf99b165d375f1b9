"""GET, PUT and DELETE of what is declared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Response

from appliance.control.errors import UnfitError, UnknownError
from appliance.control.plane import ControlPlane
from appliance.remote.answers import Applied, ResourceList
from appliance.resources.fault import Fault
from appliance.resources.kinds import PLURALS, Resource

Plural = Annotated[str, Path(description=f"One of {', '.join(PLURALS)}", examples=["clusters"])]


def resource_routes(plane: ControlPlane) -> APIRouter:
    """Return the routes of declared resources; those of faults come first where both match."""
    router = APIRouter(tags=["resources"])

    @router.get("/v1/{plural}", operation_id="list")
    async def list_all(plural: Plural) -> ResourceList:
        """Return all resources of a kind, by name."""
        kind = _kind(plural)
        resources = plane.catalogue.resources
        return ResourceList(items=[resources[each] for each in sorted(resources) if each[0] == kind])

    @router.get("/v1/{plural}/{name}", operation_id="get")
    async def get(plural: Plural, name: str) -> Resource:
        """Return one resource."""
        return plane.get(_kind(plural), name)

    @router.put("/v1/{plural}/{name}", operation_id="put", responses={201: {"model": Applied}})
    async def put(plural: Plural, name: str, resource: Annotated[Resource, Body()], response: Response) -> Applied:
        """Create or change a resource; arm a fault, or renew it when it is alive and the same."""
        problems = []
        if resource.kind != _kind(plural):
            problems.append(f"kind: expected {_kind(plural)}, as in the path; found {resource.kind}")
        if resource.name != name:
            problems.append(f"metadata.name: expected {name}, as in the path; found {resource.name}")
        if problems:
            raise UnfitError("the body does not belong to this path", problems)
        outcome = plane.put_fault(resource) if isinstance(resource, Fault) else await plane.put(resource)
        response.status_code = 201 if outcome == "created" else 200
        return Applied(outcome=outcome, resource=resource)

    @router.delete("/v1/{plural}/{name}", operation_id="delete", status_code=204)
    async def delete(plural: Plural, name: str) -> None:
        """Delete a resource that nothing refers to; end a fault, whose counters stay readable."""
        kind = _kind(plural)
        if kind == "Fault":
            plane.remove_fault(name)
        else:
            await plane.delete(kind, name)

    return router


def _kind(plural: str) -> str:
    if plural not in PLURALS:
        raise UnknownError(f"there is no kind {plural}: expected one of {', '.join(PLURALS)}")
    return PLURALS[plural]
