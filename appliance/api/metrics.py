"""`/metrics`: on the control API behind its token, and on a port of its own (`serve --metrics`) for whoever scrapes."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder

from appliance import __version__
from appliance.api.exposition import Exposition
from appliance.api.guard import AsgiApp
from appliance.api.probes import probe_routes
from appliance.api.problems import answer_problems
from appliance.control.datapath import DataPath
from appliance.control.plane import ControlPlane


def metrics_routes(plane: ControlPlane, data_path: DataPath) -> APIRouter:
    """Return the route; every process that serves clients is asked at each scrape."""
    router = APIRouter(tags=["status"])

    @router.get("/metrics", operation_id="metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Return all metrics in Prometheus' text format, or in OpenMetrics where that is asked for."""
        exposition = Exposition(plane, data_path, await data_path.measures())
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(exposition), headers={"content-type": media_type})

    return router


def make_metrics_app(plane: ControlPlane, data_path: DataPath, ready: Callable[[], bool]) -> AsgiApp:
    """Return what the port of its own serves: metrics and the probes, to anyone, and nothing else."""
    app = FastAPI(title="Tidegate metrics", version=__version__, openapi_url=None)
    answer_problems(app)
    app.include_router(metrics_routes(plane, data_path))
    app.include_router(probe_routes(plane, data_path, ready))
    return app
