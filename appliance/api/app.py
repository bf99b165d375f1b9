"""The control API as one ASGI app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from appliance import __version__
from appliance.api.audited import Audited
from appliance.api.faults import fault_routes
from appliance.api.guard import AsgiApp, Guard
from appliance.api.health import health_routes
from appliance.api.metrics import metrics_routes
from appliance.api.probes import probe_routes
from appliance.api.problems import RESPONSES, answer_problems
from appliance.api.resources import resource_routes
from appliance.api.switchovers import switchover_routes
from appliance.control.datapath import DataPath
from appliance.control.plane import ControlPlane
from appliance.remote.answers import ProblemDetails

_TOKEN = HTTPBearer(auto_error=False, description="See `guard`: it has decided before a path is reached.")


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Add the model of errors, which `RESPONSES` refers to, to FastAPI's document."""
        document = super().openapi()
        document["components"]["schemas"].setdefault("ProblemDetails", ProblemDetails.model_json_schema())
        return document


def make_app(plane: ControlPlane, data_path: DataPath, *, token: str, ready: Callable[[], bool]) -> AsgiApp:
    """Return the app behind its guard, and that in the sight of the audit trail."""
    return Audited(Guard(make_api(plane, data_path, ready), token=token), plane)


def make_api(plane: ControlPlane, data_path: DataPath, ready: Callable[[], bool]) -> FastAPI:
    """Return the app without its guard; it carries the OpenAPI document."""
    api = _Api(
        title="Tidegate control API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
    )
    answer_problems(api)
    token = [Depends(_TOKEN)]
    api.include_router(switchover_routes(plane), dependencies=token)
    api.include_router(fault_routes(plane, data_path), dependencies=token)
    api.include_router(health_routes(plane, data_path), dependencies=token)
    api.include_router(metrics_routes(plane, data_path), dependencies=token)
    api.include_router(probe_routes(plane, data_path, ready))
    api.include_router(resource_routes(plane), dependencies=token)
    return api
